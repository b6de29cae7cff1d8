// Package providertest has what the tests of providers share: how a provider is read, the
// one reader of the vectors, and genuine requests of each preset.
package providertest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	_ "github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/presets"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/rules"
)

// Now is when the tests happen.
var Now = time.Unix(1_760_000_000, 0)

// Parse reads a provider from a Caddyfile and takes it through JSON, as a
// configuration does.
func Parse(text string) (provider.Provider, error) {
	d := caddyfile.NewTestDispenser(text)
	d.Next()
	info, err := caddy.GetModule("webhook_gateway.providers." + d.Val())
	if err != nil {
		return nil, err
	}
	d.Reset()
	read := info.New()
	if err := read.(caddyfile.Unmarshaler).UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	encoded, err := json.Marshal(read)
	if err != nil {
		return nil, err
	}
	loaded := info.New()
	if err := caddy.StrictUnmarshalJSON(encoded, loaded); err != nil {
		return nil, err
	}
	return loaded.(provider.Provider), loaded.(caddy.Provisioner).Provision(caddy.Context{})
}

// MustParse is Parse for a provider that loads.
func MustParse(t testing.TB, text string) provider.Provider {
	t.Helper()
	p, err := Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return p
}

// Hook makes a request with headers given as "Name: value".
func Hook(body string, headers ...string) *template.Request {
	r := &template.Request{
		Method: "POST", Path: "/hooks/a", RawQuery: "x=1&y=2", Body: []byte(body),
		Header:     make(map[string][]string),
		Public:     &url.URL{Scheme: "https", Host: "hooks.example.com", Path: "/hooks/a", RawQuery: "x=1&y=2"},
		DeliveryID: func() string { return "delivery-1" },
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		name = textproto.CanonicalMIMEHeaderKey(name)
		r.Header[name] = append(r.Header[name], value)
	}
	return r
}

// Secrets that are good for every scheme, base64 keys included.
const (
	OwnSecret   = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	OtherSecret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
)

// The media types of forms.
const (
	FormType      = "application/x-www-form-urlencoded"
	MultipartType = "multipart/form-data"
)

// PresetOf returns the preset of a name.
func PresetOf(name string) *provider.Preset {
	for _, p := range provider.Presets() {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// MultipartOf makes a form of n parts of one name, for the boundary b.
func MultipartOf(n int, name string) string {
	return strings.Repeat("--b\r\nContent-Disposition: form-data; name=\""+name+"\"\r\n\r\n{}\r\n", n) + "--b--\r\n"
}

// SHA256Of returns the HMAC-SHA256 of a text.
func SHA256Of(key, text string) []byte {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(text))
	return h.Sum(nil)
}

// MACHex returns the HMAC-SHA256 of a text in hex.
func MACHex(secret, text string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

// SetJSONText returns a copy of a JSON text with a string in place of the value at a
// path.
func SetJSONText(in []byte, path, text string) []byte {
	var document payload.JSON
	value := JSONValue(&document, in, path)
	if !value.Exists() {
		panic("nothing at " + path)
	}
	return document.Replace([]payload.Value{value}, text)
}

// JSONValue returns the value at a path of a JSON text, absent if there is none.
func JSONValue(document *payload.JSON, text []byte, path string) payload.Value {
	compiled, err := payload.ParsePath(path)
	if err != nil {
		panic(err)
	}
	if document.Parse(text, payload.MaxDepth) != nil {
		return payload.Value{}
	}
	value, _ := compiled.Find(document.Root())
	return value
}

// Module returns the Caddy module of a provider, not yet configured.
func Module(name string) caddy.Provisioner {
	info, err := caddy.GetModule("webhook_gateway.providers." + name)
	if err != nil {
		panic(err)
	}
	return info.New().(caddy.Provisioner)
}

// Documented holds the README against bounds, by the words around each.
func Documented(t *testing.T, limits map[string]int) {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(root(), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for format, limit := range limits {
		if text := fmt.Sprintf(format, limit); !bytes.Contains(readme, []byte(text)) {
			t.Errorf("the README does not say: %s", text)
		}
	}
}

// root returns the directory of the module.
func root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "../../..")
}

// Evaluate returns the text of an expression for a request.
func Evaluate(t *testing.T, expression string, r *template.Request) string {
	value, err := rules.CompileValue(expression)
	if err != nil {
		t.Fatal(err)
	}
	view := rules.NewView(&rules.Input{Method: r.Method, RawQuery: r.RawQuery, Header: r.Header, Body: r.Body})
	defer view.Free()
	text, err := value.Text(view)
	if err != nil {
		t.Errorf("%s: %v", expression, err)
	}
	return text
}

// Identify returns the event type and the delivery ID of a request that was verified; ""
// for what is not found.
func Identify(t testing.TB, profile *provider.Profile, r *template.Request) (event, id string) {
	identity := profile.IdentityOf(r.Proof)
	view := rules.NewView(&rules.Input{Method: r.Method, RawQuery: r.RawQuery, Header: r.Header, Body: r.Body, Forms: profile.Forms})
	defer view.Free()
	find := func(expression string) string {
		if expression == "" {
			return ""
		}
		text, err := compiled(t, expression).Text(view)
		if err != nil {
			return ""
		}
		return text
	}
	return find(identity.Event), find(identity.ID)
}

var expressions sync.Map

// compiled returns an expression, which is compiled once.
func compiled(t testing.TB, expression string) *rules.Value {
	if value, ok := expressions.Load(expression); ok {
		return value.(*rules.Value)
	}
	value, err := rules.CompileValue(expression)
	if err != nil {
		t.Fatal(err)
	}
	expressions.Store(expression, value)
	return value
}

// CopyKey returns what tells copies of a request that was verified from other events: two
// requests are one event if they have the same key. "" says that nothing tells.
func CopyKey(t testing.TB, profile *provider.Profile, r *template.Request) string {
	c := profile.Copies
	omission, err := c.Omission()
	if err != nil {
		t.Fatal(err)
	}
	contentType := ""
	if values := r.Header["Content-Type"]; len(values) > 0 {
		contentType = values[0]
	}
	body := string(omission.Body.From(contentType, r.Body))
	_, id := Identify(t, profile, r)
	by := c.By
	if id == "" && by != provider.ByNothing {
		by = c.WithoutID
	}
	switch by {
	case provider.ByID:
		return "id " + id
	case provider.ByIDAndBody:
		return "id " + id + " body " + body
	case provider.ByBody:
		return "path " + r.Path + " query " + r.RawQuery + " body " + body
	}
	return ""
}

// Custom is the block of a custom provider with an HMAC in X-Signature, and more options
// of that HMAC.
func Custom(options string) string {
	return "custom s3cret {\nhmac {\nheader X-Signature\n" + options + "\n}\nid `body.id`\n}"
}
