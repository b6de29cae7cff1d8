package scheme

import (
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/tidwall/gjson"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// Token is a fixed value that the sender passes along: a provider's own scheme,
// or the gateway's guard for a provider that proves nothing. It covers nothing
// of the content.
type Token struct {
	// Where the token stands: header, query, path (the last segment), json, or
	// form.
	In string `json:"in"`

	// The name of the header, query parameter or form field, or the path of the
	// JSON value. Where that path, or the query, gives several values, each must be
	// the token.
	Name string `json:"name,omitempty"`

	// What stands before the token, such as Bearer and a space. Letters may be
	// in either case.
	Prefix string `json:"prefix,omitempty"`

	// How the token is written: as it is (the default), or base64, as user and
	// password of Basic authentication are.
	Encoding string `json:"encoding,omitempty"`

	// The tokens that are accepted, if they are not the provider's secrets.
	// Placeholders are resolved when the configuration loads.
	Secrets []string `json:"secrets,omitempty"`

	tokens [][]byte
}

// tokenPlaces are where a token can stand.
var tokenPlaces = []string{"header", "query", "path", "json", "form"}

// Provision implements Scheme.
func (t *Token) Provision(c *Credentials) error {
	if err := t.Compile(); err != nil {
		return err
	}
	t.tokens = nil
	for _, secret := range c.Secrets {
		if t.Encoding == "base64" {
			secret = base64.StdEncoding.EncodeToString([]byte(secret))
		}
		t.tokens = append(t.tokens, []byte(secret))
	}
	return nil
}

// Compile implements Scheme.
func (t *Token) Compile() error {
	switch {
	case !slices.Contains(tokenPlaces, t.In):
		return fmt.Errorf("token stands in header, query, path, json or form, not in %q", t.In)
	case t.In == "path" && t.Name != "":
		return fmt.Errorf("token path takes no name")
	case t.In != "path" && t.Name == "":
		return fmt.Errorf("token %s needs a name", t.In)
	case t.Encoding != "" && t.Encoding != "base64":
		return fmt.Errorf("unknown encoding %q of a token: want base64, or none", t.Encoding)
	}
	if t.In == "header" {
		t.Name = textproto.CanonicalMIMEHeaderKey(t.Name)
	}
	return nil
}

// Traits implements Scheme.
func (t *Token) Traits() Traits {
	return Traits{UsesSecret: true, NeedsSecret: true, Resigns: t.In == "header", SecretHeaders: t.Headers(), Keys: len(t.tokens)}
}

// Headers implements Scheme.
func (t *Token) Headers() []string {
	if t.In == "header" {
		return []string{textproto.CanonicalMIMEHeaderKey(t.Name)}
	}
	return nil
}

// Holds implements Scheme.
func (t *Token) Holds(r *template.Request) bool { return AnyHeader(r, t.Headers()) }

// Describe implements Scheme.
func (t *Token) Describe() string {
	if t.Prefix == "Basic " {
		return "Basic authentication"
	}
	return strings.TrimSpace(fmt.Sprintf("fixed value in %s %s", t.In, t.Name))
}

// Verify implements Scheme.
func (t *Token) Verify(r *template.Request, _ time.Time) error {
	r.Matched = 0
	found := t.find(r)
	switch {
	case len(found) == 0:
		return Missing
	case len(found) > 1 && t.In == "header":
		return Repeated
	}
	for _, text := range found {
		token, ok := cutPrefixFold(text, t.Prefix)
		if !ok || token == "" {
			return Missing
		}
		position := 0
		for i, secret := range slices.Backward(t.tokens) {
			same := subtle.ConstantTimeCompare(secret, []byte(token))
			position = subtle.ConstantTimeSelect(same, i+1, position)
		}
		if r.Matched = position; position == 0 {
			return Wrong
		}
	}
	return nil
}

func cutPrefixFold(s, prefix string) (after string, ok bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// find returns the texts that must hold the token.
func (t *Token) find(r *template.Request) []string {
	switch t.In {
	case "header":
		return r.Header[t.Name]
	case "path":
		segment := r.Path[strings.LastIndexByte(r.Path, '/')+1:]
		if token, err := url.PathUnescape(segment); err == nil {
			return []string{token}
		}
	case "json":
		return t.findJSON(r)
	case "form":
		e := template.NewEnv(r, nil)
		defer e.Free()
		fields, _ := e.FormValues()
		return []string{template.Only(fields, t.Name)}
	case "query":
		return t.findQuery(r)
	}
	return nil
}

func (t *Token) findJSON(r *template.Request) (found []string) {
	if !template.SoundJSON(r.Body) {
		return nil
	}
	value := gjson.ParseBytes(r.Body)
	if list, field, each := strings.Cut("."+t.Name, ".#."); each { // gjson leaves out elements without the field
		if list != "" {
			value = value.Get(list[1:])
		}
		for _, item := range value.Array() {
			found = append(found, template.TextOf(item.Get(field)))
		}
		return found
	}
	if value = value.Get(t.Name); !value.IsArray() {
		return []string{template.TextOf(value)}
	}
	for _, item := range value.Array() {
		found = append(found, template.TextOf(item))
	}
	return found
}

func (t *Token) findQuery(r *template.Request) (found []string) {
	for pair := range strings.SplitSeq(r.RawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if !t.named(name) {
			continue
		}
		if value, err := url.QueryUnescape(value); err == nil {
			found = append(found, value)
		}
	}
	return found
}

// Strip cuts the token from the URL and leaves the rest byte for byte.
func (t *Token) Strip(r *template.Request) {
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

// Sign implements Scheme: it adds the first token to a request.
func (t *Token) Sign(r *template.Request, _ time.Time) error {
	token := string(t.tokens[0])
	switch t.In {
	case "path":
		r.Path = strings.TrimSuffix(r.Path, "/") + "/" + url.PathEscape(token)
		return nil
	case "query":
		pair := url.QueryEscape(t.Name) + "=" + url.QueryEscape(t.Prefix+token)
		if r.RawQuery != "" {
			pair = r.RawQuery + "&" + pair
		}
		r.RawQuery = pair
		return nil
	}
	e := template.NewEnv(r, nil)
	defer e.Free()
	return e.Put(template.At(t.In, t.Name), t.Prefix+token)
}

// ReadGuard reads the line of a token that guards a source:
//
//	token header|query|json|form <name> <secret>...
//	token path <secret>...
func (t *Token) ReadGuard(d *caddyfile.Dispenser) error {
	if err := t.readPlace(d); err != nil {
		return err
	}
	if t.Secrets == nil {
		return d.Errf("token %s needs %s", t.In, map[bool]string{true: "a secret", false: "a name and a secret"}[t.In == "path"])
	}
	return nil
}

// readPlace reads where a token stands, and its secrets if there are any.
func (t *Token) readPlace(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.ArgErr()
	}
	t.In, args = args[0], args[1:]
	switch {
	case !slices.Contains(tokenPlaces, t.In):
		return d.Errf("token stands in header, query, path, json or form, not in %q", t.In)
	case t.In != "path" && len(args) == 0:
		return d.Errf("token %s needs a name", t.In)
	case t.In != "path":
		t.Name, args = args[0], args[1:]
	}
	if len(args) > 0 {
		t.Secrets = args
	}
	return nil
}

// basicAuth is the token that user:password makes.
func BasicAuth() *Token {
	return &Token{In: "header", Name: "Authorization", Prefix: "Basic ", Encoding: "base64"}
}

// Observe implements Scheme.
func (t *Token) Observe(r *template.Request, x *Reading) {
	found := t.find(r)
	for _, text := range found {
		x.add("%s %s: %d characters", t.In, t.Name, len(text))
	}
	if len(found) == 0 {
		x.add("%s %s: none", t.In, t.Name)
	}
}

// place says where the token stands.
func (t *Token) Place() string { return strings.TrimSpace(t.In + " " + t.Name) }

// Read implements Scheme. Syntax:
//
//	token header|query|json|form <name> [<secret>...] {
//		prefix   <text>
//		encoding base64
//	}
//	token path [<secret>...] { … }
func (t *Token) Read(d *caddyfile.Dispenser, options syntax.Options) error {
	if err := t.readPlace(d); err != nil {
		return err
	}
	return readBlock(d, options, syntax.Options{
		"prefix":   syntax.String(&t.Prefix),
		"encoding": syntax.OneOf(&t.Encoding, "base64"),
	})
}
