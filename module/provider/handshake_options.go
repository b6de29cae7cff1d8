package provider

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
)

// HandshakeOptions is what a user tells the gateway for handshakes. A provider
// takes those that its handshakes ask for.
type HandshakeOptions struct {
	// The token that the provider repeats when it verifies the endpoint.
	VerifyToken string `json:"verify_token,omitempty"`

	// The topics that this endpoint was subscribed to.
	Topics []string `json:"topic,omitempty"`

	// The URL of this endpoint as the provider knows it. Default: external_url.
	Endpoint string `json:"endpoint,omitempty"`

	// The public key that belongs to the secret.
	PublicKey string `json:"public_key,omitempty"`
}

var optionNames = []string{"verify_token", "topic", "endpoint", "public_key"}

// clientIDs stands for all secrets of a provider whose secrets are client IDs.
const clientIDs = "client_ids"

// optionName returns the name of the option that a value stands for.
func optionName(value string) (string, bool) {
	name, ok := strings.CutPrefix(value, "{option.")
	name, closed := strings.CutSuffix(name, "}")
	return name, ok && closed && (name == clientIDs || slices.Contains(optionNames, name))
}

// values returns what an option is set to.
func (o *HandshakeOptions) values(name string) []string {
	one := func(value string) []string {
		if value == "" {
			return nil
		}
		return []string{value}
	}
	switch name {
	case "verify_token":
		return one(o.VerifyToken)
	case "topic":
		return o.Topics
	case "endpoint":
		return one(o.Endpoint)
	case "public_key":
		return one(o.PublicKey)
	}
	return nil
}

// receiver resolves the options and returns how handshakes ask for them.
func (o *HandshakeOptions) receiver(c *Common) (receiver, error) {
	options := map[string][]string{clientIDs: c.secrets}
	for _, name := range optionNames {
		values, err := resolve(name, o.values(name))
		if err != nil {
			return receiver{}, err
		}
		options[name] = values
	}
	if options["endpoint"] == nil && c.external != nil {
		options["endpoint"] = []string{c.external.String()}
	}
	return receiver{c.secrets, func(name string) []string { return options[name] }}, nil
}

// readers returns what reads the options that some handshakes ask for.
func (o *HandshakeOptions) readers(asked []string) syntax.Options {
	all := syntax.Options{
		"verify_token": syntax.String(&o.VerifyToken),
		"topic":        syntax.Strings(&o.Topics),
		"endpoint":     readURL(&o.Endpoint),
		"public_key":   syntax.String(&o.PublicKey),
	}
	readers := make(syntax.Options)
	for _, name := range asked {
		readers[name] = all[name]
	}
	return readers
}

// check refuses options that no handshake asks for.
func (o *HandshakeOptions) check(asked []string) error {
	for _, name := range optionNames {
		if len(o.values(name)) > 0 && !slices.Contains(asked, name) {
			return fmt.Errorf("no handshake of this provider asks for %s", name)
		}
	}
	return nil
}

// asked returns the names of the options that handshakes ask for.
func asked(list []Handshake) []string {
	var names []string
	for _, h := range list {
		texts := []string{h.Text, h.JSON}
		for _, template := range h.Header {
			texts = append(texts, template)
		}
		if h.Digest != nil {
			texts = append(texts, h.Digest.Of)
		}
		for _, c := range slices.Concat(h.When, h.Expect) {
			texts = append(texts, c.Values...)
		}
		for _, name := range optionNames {
			mentions := func(text string) bool { return strings.Contains(text, "{option."+name+"}") }
			if slices.ContainsFunc(texts, mentions) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}
