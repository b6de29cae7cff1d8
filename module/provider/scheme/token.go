package scheme

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/syntax"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// Token is a fixed value that the sender passes along: a provider's own scheme, or
// the gateway's guard for a provider that proves nothing. A token covers nothing of
// the content.
type Token struct {
	// The template that gives the token: {header.X-Name}, {query.name}, {form.name},
	// {json.path}, or {path|last}, which is the last segment of the path. If the query
	// or the path of JSON has several values, each must be the token.
	From string `json:"from"`

	// The text before the token, such as Bearer and a space. Its letters may be in
	// either case. Default: none.
	Prefix string `json:"prefix,omitempty"`

	// How the token is written: base64, as user and password of Basic authentication
	// are. Default: as it is.
	Encoding string `json:"encoding,omitempty"`

	// The tokens that are accepted. Placeholders are resolved when the configuration
	// loads. Default: the secrets of the provider.
	Secrets []string `json:"secrets,omitempty"`

	part, name string // of a request, where From is no more than that
	from       template.Template
	tokens     [][]byte
}

// Provision implements Scheme.
func (t *Token) Provision(c *Credentials) error {
	if err := t.Compile(); err != nil {
		return err
	}
	t.setTokens(c.Secrets)
	return nil
}

func (t *Token) setTokens(secrets []string) {
	t.tokens = make([][]byte, len(secrets))
	for i, secret := range secrets {
		if t.Encoding == "base64" {
			secret = base64.StdEncoding.EncodeToString([]byte(secret))
		}
		t.tokens[i] = []byte(secret)
	}
}

// With implements Rekeyer.
func (t *Token) With(secrets []string) (Scheme, error) {
	own := *t
	own.setTokens(secrets)
	return &own, nil
}

// Compile implements Scheme.
func (t *Token) Compile() (err error) {
	if t.Encoding != "" && t.Encoding != "base64" {
		return fmt.Errorf("unknown encoding %q of a token; use base64, or none", t.Encoding)
	}
	if t.From == "" {
		return errors.New("token needs what gives it: {header.X-Name}, {query.name}, {form.name}, {json.path} or {path|last}")
	}
	if t.from, err = template.ParseSeveral(t.From); err != nil {
		return err
	}
	t.part, t.name = t.from.Place()
	return t.checkPlace()
}

// checkPlace refuses what no request has.
func (t *Token) checkPlace() error {
	const places = "{header.X-Name}, {query.name}, {form.name}, {json.path} or {path|last}"
	switch {
	case t.from.Constant() || t.part != "path" && !t.from.HasOnly("header", "query", "form", "json", "body") || t.part == "query" && t.name == "":
		return fmt.Errorf("token %s reads no token in the request, so none would ever be right; write %s", t.From, places)
	case t.part == "" && t.from.Several():
		return fmt.Errorf("token %s: a path to several values stands alone; what is done to them, or stands beside them, would never match", t.From)
	}
	return nil
}

// Traits implements Scheme.
func (t *Token) Traits() Traits {
	return Traits{
		UsesSecret: true, NeedsSecret: true, WholeHeader: t.Headers() != nil && t.Prefix == "",
		Trimmed:    t.Headers() != nil && t.Encoding == "",
		OwnSecrets: t.Secrets != nil, Unsignable: unsignableIn(t.From), SecretHeaders: t.Headers(), Keys: len(t.tokens),
	}
}

// Headers implements Scheme.
func (t *Token) Headers() []string { return headersIn(t.From) }

// Screen implements Scheme: a token outside of the body is checked at once.
func (t *Token) Screen(r *template.Request, now time.Time) error {
	if t.from.ReadsBody() {
		return nil
	}
	return t.Verify(r, now)
}

// Holds implements Scheme.
func (t *Token) Holds(r *template.Request) bool { return AnyHeader(r, t.Headers()) }

// Describe implements Scheme.
func (t *Token) Describe() string {
	if t.Prefix == "Basic " {
		return "Basic authentication"
	}
	return "fixed value in " + template.Words(t.From)
}

// Verify implements Scheme.
func (t *Token) Verify(r *template.Request, _ time.Time) error {
	r.Matched = 0
	if t.part == "header" { // found without memory
		switch values := r.Header[t.name]; len(values) {
		case 0:
			return Missing
		case 1:
			return t.check(r, values[0])
		}
		return Repeated
	}
	refusal := error(Missing)
	for text := range t.find(r) {
		if refusal = t.check(r, text); refusal != nil {
			break
		}
	}
	return refusal
}

// check compares a text with the tokens.
func (t *Token) check(r *template.Request, text string) error {
	token, ok := cutPrefixFold(text, t.Prefix)
	if !ok || token == "" {
		r.Matched = 0
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
	return nil
}

func cutPrefixFold(s, prefix string) (after string, ok bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// find yields the texts that must hold the token.
func (t *Token) find(r *template.Request) iter.Seq[string] {
	return func(yield func(string) bool) {
		switch t.part {
		case "header":
			_ = slices.ContainsFunc(r.Header[t.name], func(text string) bool { return !yield(text) })
		case "path":
			segment := r.Path[strings.LastIndexByte(r.Path, '/')+1:]
			if token, err := url.PathUnescape(segment); err == nil {
				yield(token)
			}
		case "query":
			for pair, err := range payload.Pairs(r.RawQuery) {
				undecoded := err != nil && strings.Contains(pair.Value, "%") // a semicolon does no harm
				if pair.Name == t.name && !undecoded && !yield(pair.Value) {
					return
				}
			}
		case "json":
			t.findJSON(r, yield)
		default:
			e := template.NewEnv(r, nil)
			defer e.Free()
			yield(t.from.Text(e))
		}
	}
}

// findJSON yields the texts of the values to which the path leads, and the elements
// of a list there. What is not JSON, or leaves a doubt, holds an empty one.
func (t *Token) findJSON(r *template.Request, yield func(string) bool) {
	e := template.NewEnv(r, nil)
	defer e.Free()
	root, err := e.Root()
	if err != nil {
		yield("")
		return
	}
	path := t.from.Path()
	for value, err := range path.All(root) {
		if err != nil {
			yield("")
			return
		}
		if value.Kind() != payload.Array || !path.Single() {
			if !yield(template.ShortText(value)) {
				return
			}
			continue
		}
		for element := range value.Elements() {
			if !yield(template.ShortText(element)) {
				return
			}
		}
	}
}

// Strip cuts the token from the URL and leaves the rest byte for byte.
func (t *Token) Strip(r *template.Request) {
	switch t.part {
	case "path":
		r.Path = r.Path[:max(1, strings.LastIndexByte(r.Path, '/'))]
	case "query":
		r.RawQuery = payload.DropPair(r.RawQuery, t.name)
	}
}

// Sign implements Scheme: it adds the first token to a request.
func (t *Token) Sign(r *template.Request, _ time.Time) error {
	token := string(t.tokens[0])
	switch t.part {
	case "path":
		r.Path = strings.TrimSuffix(r.Path, "/") + "/" + url.PathEscape(token)
		return nil
	case "query":
		pair := url.QueryEscape(t.name) + "=" + url.QueryEscape(t.Prefix+token)
		if r.RawQuery != "" {
			pair = r.RawQuery + "&" + pair
		}
		r.RawQuery = pair
		return nil
	}
	e := template.NewEnv(r, nil)
	defer e.Free()
	return e.Put(t.from, t.Prefix+token)
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
		part, _, named := strings.Cut(template.Words(t.From), " ")
		return d.Errf("token %s needs %s", part, map[bool]string{false: "a secret", true: "a name and a secret"}[named])
	}
	return nil
}

// tokenParts are where a token can stand, in the words of a Caddyfile.
var tokenParts = []string{"header", "query", "path", "json", "form"}

// readPlace reads where a token stands, and its secrets if there are any.
func (t *Token) readPlace(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	switch {
	case len(args) == 0:
		return d.ArgErr()
	case strings.HasPrefix(args[0], "{"):
		t.From, args = template.Short(args[0]), args[1:]
	case !slices.Contains(tokenParts, args[0]):
		return d.Errf("token takes header, query, path, json or form, not %q", args[0])
	case args[0] == "path":
		t.From, args = template.Of("path", ""), args[1:]
	case len(args) == 1:
		return d.Errf("token %s needs a name", args[0])
	default:
		t.From, args = template.Of(args[0], args[1]), args[2:]
	}
	if len(args) > 0 {
		t.Secrets = args
	}
	_, err := template.ParseSeveral(t.From)
	return syntax.At(d, err)
}

// BasicAuth is the token that user:password makes.
func BasicAuth() *Token {
	return &Token{From: "{header.Authorization}", Prefix: "Basic ", Encoding: "base64"}
}

// Observe implements Scheme.
func (t *Token) Observe(r *template.Request, x *Reading) {
	found := false
	for text := range t.find(r) {
		x.add("%s: %d characters", template.Words(t.From), len(text))
		found = true
	}
	if !found {
		x.add("%s: none", template.Words(t.From))
	}
}

// Place says where the token stands.
func (t *Token) Place() string { return template.Words(t.From) }

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
