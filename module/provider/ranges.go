package provider

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
)

// Ranges are the addresses that a provider publishes: those in the list, and those
// in the document at the URL.
type Ranges struct {
	// The addresses and networks of the provider.
	List []string `json:"list,omitempty"`

	// The https URL at which the provider publishes its addresses.
	URL string `json:"url,omitempty"`

	// How the addresses are written at the URL: text, with one in each line, or json.
	// Default: text.
	Format string `json:"format,omitempty"`

	// The path of the addresses in the JSON. Default: the JSON is a list of addresses.
	Path string `json:"path,omitempty"`
}

// widest4 and widest6 are the widest networks that ranges may have. A wider one is a
// mistake, or would let everybody in.
const widest4, widest6 = 8, 16

// compile checks the ranges, and resolves placeholders in the URL.
func (r *Ranges) compile() error {
	if r == nil {
		return nil
	}
	if _, err := parseNetworks(r.List); err != nil {
		return fmt.Errorf("ranges: %w", err)
	}
	if _, err := r.compiledPath(); err != nil {
		return fmt.Errorf("ranges: %w", err)
	}
	switch {
	case len(r.List) == 0 && r.URL == "":
		return errors.New("ranges are a list of addresses, the URL of one, or both")
	case r.Format != "" && r.Format != "text" && r.Format != "json":
		return fmt.Errorf("the format of ranges is text or json, not %q", r.Format)
	case r.Path != "" && r.Format != "json":
		return errors.New("only ranges in JSON have a path")
	case r.URL == "":
		return nil
	}
	if _, err := scheme.ParseHTTPS("the URL of ranges", r.URL); err != nil {
		return err
	}
	r.URL = caddy.NewReplacer().ReplaceKnown(r.URL, "")
	return nil
}

// Parse reads the document at the URL. An empty list and a list with an impossible
// entry are refused: the document may be something else.
func (r *Ranges) Parse(content []byte) ([]netip.Prefix, error) {
	texts := textLines
	if r.Format == "json" {
		texts = r.jsonStrings
	}
	listed, err := texts(content)
	switch {
	case err != nil:
		return nil, err
	case len(listed) == 0:
		return nil, errors.New("the list is empty")
	}
	return parseNetworks(listed)
}

// textLines returns the lines that say something.
func textLines(content []byte) (lines []string, err error) {
	for line := range strings.Lines(string(content)) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines, nil
}

// compiledPath returns the path of the addresses.
func (r *Ranges) compiledPath() (payload.Path, error) {
	if r.Path == "" {
		return payload.Path{}, nil // leads to the whole
	}
	return payload.ParsePath(r.Path)
}

// jsonStrings returns the strings at the path.
func (r *Ranges) jsonStrings(content []byte) (texts []string, err error) {
	var document payload.JSON
	if document.Parse(content, payload.MaxDepth) != nil {
		return nil, errors.New("the list is not JSON")
	}
	add := func(value payload.Value) error {
		if value.Kind() != payload.String {
			return fmt.Errorf("%.40q is not a string", value.Raw())
		}
		texts = append(texts, value.Text())
		return nil
	}
	path, err := r.compiledPath()
	if err != nil {
		return nil, err
	}
	for value, err := range path.All(document.Root()) {
		switch {
		case err != nil:
		case !value.Exists(), value.Kind() == payload.Null: // an element of another kind
		case value.Kind() != payload.Array:
			err = add(value)
		default:
			for element := range value.Elements() {
				if err = add(element); err != nil {
					break
				}
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return texts, nil
}

func parseNetworks(texts []string) ([]netip.Prefix, error) {
	networks := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		var err error
		if networks[i], err = parseNetwork(text); err != nil {
			return nil, err
		}
	}
	return networks, nil
}

// parseNetwork reads an address or a network that may be a provider's.
func parseNetwork(text string) (netip.Prefix, error) {
	network, err := netip.ParsePrefix(text)
	if err != nil {
		address, err := netip.ParseAddr(text)
		if err != nil {
			return netip.Prefix{}, fmt.Errorf("%.40q is neither an address nor a network such as 192.0.2.0/24", text)
		}
		network = netip.PrefixFrom(address, address.BitLen())
	}
	widest := widest6
	if network.Addr().Is4() {
		widest = widest4
	}
	if network.Bits() < widest {
		return netip.Prefix{}, fmt.Errorf("%s is wider than /%d: no provider has so many addresses", text, widest)
	}
	return network.Masked(), nil
}
