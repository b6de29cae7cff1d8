package scheme

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/dunglas/httpsfv"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// maxComponents is how many components one signature can cover.
const maxComponents = 64

// signatureBase returns the text that a signature of RFC 9421 signs, and the
// identifiers of the components that it covers.
func signatureBase(r *template.Request, external *url.URL, input *httpsfv.InnerList) (base string, covered []string, err error) {
	if len(input.Items) > maxComponents {
		return "", nil, Malformed
	}
	from := components{r: r, external: external}
	var b strings.Builder
	for _, item := range input.Items {
		identifier, err := httpsfv.Marshal(item)
		name, isString := item.Value.(string)
		if err != nil || !isString || slices.Contains(covered, identifier) {
			return "", nil, Malformed
		}
		value, err := from.component(name, item.Params)
		if err != nil {
			return "", nil, err
		}
		covered = append(covered, identifier)
		b.WriteString(identifier + ": " + value + "\n")
	}
	params, err := httpsfv.Marshal(*input)
	if err != nil {
		return "", nil, Malformed
	}
	b.WriteString(`"@signature-params": ` + params)
	return b.String(), covered, nil
}

// derived are the components that are no headers, but for @query-param.
var derived = []string{"@authority", "@method", "@path", "@query", "@request-target", "@scheme", "@target-uri"}

// checkComponent refuses a component that no request has.
func checkComponent(name string, params *httpsfv.Params) error {
	value, named := params.Get("name")
	_, isString := value.(string)
	switch count := len(params.Names()); {
	case name == "@query-param" && (count != 1 || !named || !isString):
		return errors.New(`@query-param needs the name of the parameter: @query-param;name="id"`)
	case name == "@query-param":
	case count > 0:
		return fmt.Errorf("component %s takes no parameters here", name)
	case strings.HasPrefix(name, "@") && !slices.Contains(derived, name):
		return fmt.Errorf("no request has the component %s; there are %s, @query-param and headers", name, strings.Join(derived, ", "))
	}
	return nil
}

// components gives the components of a request.
type components struct {
	r        *template.Request
	external *url.URL
	query    map[string][]string // under the escaped names; nil until it is read
}

// component returns the value of a component. What is not known here, or is
// not in the request, makes the signature worthless.
func (c *components) component(name string, params *httpsfv.Params) (string, error) {
	r, u := c.r, c.r.PublicURL(c.external)
	if name == "@query-param" {
		return c.queryParam(u, params)
	}
	if len(params.Names()) > 0 {
		return "", Malformed // sf, key, bs, req and tr
	}
	if !strings.HasPrefix(name, "@") {
		return field(r, name)
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	switch name {
	case "@method":
		return r.Method, nil
	case "@scheme":
		return u.Scheme, nil
	case "@authority":
		return authority(u), nil
	case "@path":
		return path, nil
	case "@query":
		return "?" + u.RawQuery, nil
	case "@request-target":
		if u.RawQuery == "" {
			return path, nil
		}
		return path + "?" + u.RawQuery, nil
	case "@target-uri":
		target := *u
		target.Fragment, target.RawFragment = "", ""
		return target.String(), nil
	}
	return "", Malformed
}

// field returns the value of a header in the form in which RFC 9421 signs it.
func field(r *template.Request, name string) (string, error) {
	if name != strings.ToLower(name) {
		return "", Malformed
	}
	values, given := r.Header[textproto.CanonicalMIMEHeaderKey(name)]
	switch {
	case given:
	case name == "content-length":
		return strconv.Itoa(len(r.Body)), nil
	default:
		return "", Missing
	}
	trimmed := make([]string, len(values))
	for i, value := range values {
		trimmed[i] = strings.TrimSpace(value)
	}
	return strings.Join(trimmed, ", "), nil
}

// authority returns the host, with a port that is not the scheme's own.
func authority(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if name, port, err := net.SplitHostPort(host); err == nil && (u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80") {
		if strings.Contains(name, ":") {
			return "[" + name + "]"
		}
		return name
	}
	return host
}

// queryParam returns the value of a parameter that the query has once.
func (c *components) queryParam(u *url.URL, params *httpsfv.Params) (string, error) {
	value, _ := params.Get("name")
	name, isString := value.(string)
	if !isString || len(params.Names()) != 1 {
		return "", Malformed
	}
	if c.query == nil {
		query, err := payload.Query(u.RawQuery)
		if err != nil {
			return "", Malformed
		}
		c.query = make(map[string][]string, len(query))
		for _, field := range query {
			escaped := escapeQuery(field.Name)
			c.query[escaped] = append(c.query[escaped], field.Value)
		}
	}
	switch values := c.query[name]; len(values) {
	case 0:
		return "", Missing
	case 1:
		return escapeQuery(values[0]), nil
	}
	return "", Repeated
}

// escapeQuery escapes a name or value as RFC 9421 requires.
func escapeQuery(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

// checkDigest checks the Content-Digest against the body. There must be a digest of
// a known function, and every digest of one must be right.
func checkDigest(r *template.Request) error {
	digests, err := dictionary(r, "Content-Digest")
	if err != nil {
		return err
	}
	checked := false
	for _, name := range digests.Names() {
		var want []byte
		switch name {
		case "sha-256":
			sum := sha256.Sum256(r.Body)
			want = sum[:]
		case "sha-512":
			sum := sha512.Sum512(r.Body)
			want = sum[:]
		default:
			continue
		}
		member, _ := digests.Get(name)
		item, _ := member.(httpsfv.Item)
		got, isBytes := item.Value.([]byte)
		if !isBytes || !hmac.Equal(got, want) {
			return Wrong
		}
		checked = true
	}
	if !checked {
		return Malformed
	}
	return nil
}

// dictionary reads a header that is a dictionary of structured fields, on one
// line.
func dictionary(r *template.Request, name string) (*httpsfv.Dictionary, error) {
	values := r.Header[name]
	switch {
	case len(values) == 0:
		return nil, Missing
	case len(values) > 1:
		return nil, Repeated
	case len(values[0]) > maxStructured:
		return nil, Malformed
	}
	d, err := httpsfv.UnmarshalDictionary(values)
	if err != nil {
		return nil, Malformed
	}
	return d, nil
}

// maxStructured bounds the headers that make up a proof, in bytes.
const maxStructured = 16 << 10
