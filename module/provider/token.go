package provider

import (
	"crypto/subtle"
	"fmt"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
)

// Token is a fixed value that the sender passes along: a provider's own scheme,
// or the gateway's guard for a provider that proves nothing. It covers nothing
// of the content.
type Token struct {
	// Where the token stands: header, query, or path (the last segment).
	In string `json:"in"`

	// The name of the header or query parameter.
	Name string `json:"name,omitempty"`

	// The tokens that are accepted. Placeholders are resolved when the
	// configuration loads.
	Secrets []string `json:"secrets,omitempty"`

	secrets [][]byte
}

// provision checks the token's place and takes the resolved secrets.
func (t *Token) provision(secrets []string) error {
	switch t.In {
	case "header", "query":
		if t.Name == "" {
			return fmt.Errorf("token %s needs a name", t.In)
		}
	case "path":
		if t.Name != "" {
			return fmt.Errorf("token path takes no name")
		}
	default:
		return fmt.Errorf("token stands in header, query or path, not in %q", t.In)
	}
	if t.In == "header" {
		t.Name = textproto.CanonicalMIMEHeaderKey(t.Name)
	}
	t.secrets = nil
	for _, secret := range secrets {
		t.secrets = append(t.secrets, []byte(secret))
	}
	return nil
}

// verify returns the position of the token that the request carries.
func (t *Token) verify(r *Request) (position int, err error) {
	got, found := t.find(r)
	if !found || got == "" {
		return 0, Missing
	}
	for i, secret := range slices.Backward(t.secrets) {
		same := subtle.ConstantTimeCompare(secret, []byte(got))
		position = subtle.ConstantTimeSelect(same, i+1, position)
	}
	if position == 0 {
		return 0, Wrong
	}
	return position, nil
}

func (t *Token) find(r *Request) (string, bool) {
	switch t.In {
	case "header":
		return r.header(t.Name), true
	case "path":
		segment := r.Path[strings.LastIndexByte(r.Path, '/')+1:]
		token, err := url.PathUnescape(segment)
		return token, err == nil
	}
	for pair := range strings.SplitSeq(r.RawQuery, "&") {
		if value, ok := t.inPair(pair); ok {
			return value, true
		}
	}
	return "", false
}

// inPair returns the token if a query's name=value pair is the token's.
func (t *Token) inPair(pair string) (string, bool) {
	name, value, _ := strings.Cut(pair, "=")
	name, err := url.QueryUnescape(name)
	if err != nil || name != t.Name {
		return "", false
	}
	value, err = url.QueryUnescape(value)
	return value, err == nil
}

// strip cuts the token from the URL and leaves the rest byte for byte.
func (t *Token) strip(r *Request) {
	switch t.In {
	case "path":
		r.Path = r.Path[:max(1, strings.LastIndexByte(r.Path, '/'))]
	case "query":
		var kept []string
		for pair := range strings.SplitSeq(r.RawQuery, "&") {
			if name, _, _ := strings.Cut(pair, "="); !t.named(name) {
				kept = append(kept, pair)
			}
		}
		r.RawQuery = strings.Join(kept, "&")
	}
}

func (t *Token) named(escaped string) bool {
	name, err := url.QueryUnescape(escaped)
	return err == nil && name == t.Name
}

// sign adds the first token to a request.
func (t *Token) sign(r *Request) {
	token := string(t.secrets[0])
	switch t.In {
	case "header":
		r.Header[t.Name] = []string{token}
	case "path":
		r.Path = strings.TrimSuffix(r.Path, "/") + "/" + url.PathEscape(token)
	case "query":
		pair := url.QueryEscape(t.Name) + "=" + url.QueryEscape(token)
		if r.RawQuery != "" {
			pair = r.RawQuery + "&" + pair
		}
		r.RawQuery = pair
	}
}
