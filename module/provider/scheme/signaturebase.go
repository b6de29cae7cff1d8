package scheme

import (
	"net"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/dunglas/httpsfv"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// maxComponents bounds what one signature can cover.
const maxComponents = 64

// signatureBase returns what a signature of RFC 9421 is made over, and the
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

// components are those of a request.
type components struct {
	r        *template.Request
	external *url.URL
	query    url.Values // under the escaped names; nil until it is read
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

// field returns the value of a header as it is signed.
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
		query, err := template.ParsePairs(u.RawQuery)
		if err != nil {
			return "", Malformed
		}
		c.query = make(url.Values, len(query))
		for name, values := range query {
			c.query[escapeQuery(name)] = values
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

// escapeQuery writes a name or value as RFC 9421 wants it.
func escapeQuery(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }
