package template_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

func TestTemplate(t *testing.T) {
	const form = "Content-Type: application/x-www-form-urlencoded"
	at := func(text string) *template.Request {
		r := providertest.Hook("")
		r.Public, _ = url.Parse(text)
		return r
	}
	for _, test := range []struct {
		template string
		request  *template.Request
		want     string
	}{
		{"{{{method}}", providertest.Hook(""), "{POST}"},
		{"{{\"a\":{body|quote}}", providertest.Hook(`x"y`), `{"a":"x\"y"}`},
		{"{host} {scheme} {path}", at("https://example.com:8443/a%2Fb?c"), "example.com:8443 https /a%2Fb"},
		{"{query.a}|{query.c}", at("https://e.com/?a=1+2&b=1&b=2"), "1 2|"},
		{"x{query.b}", at("https://e.com/?a=1+2&b=1&b=2"), ""}, // given twice
		{"x{query.a}", at("https://e.com/?a=1;b=2"), ""},
		{"{json.a}{json.b.c}{json.d}{json.e}", providertest.Hook(`{"a":"x\n","b":{"c":1.50},"d":null}`), "x\n1.50"},
		{"{json.a}", providertest.Hook(`{"a":1,"a":2}`), ""},
		{"{json.a}", providertest.Hook(`{"a":1,"\u0061":2}`), ""},
		{"{json.a}", providertest.Hook(`{"a":1}{"a":2}`), ""},
		{"{json.a}", providertest.Hook(`{"a":1`), ""},
		{"{json.a}", providertest.Hook(strings.Repeat("[", 300) + strings.Repeat("]", 300)), ""},
		{"{json.a.0.b}", providertest.Hook(`{"a":[{"b":true}]}`), "true"},
		{"{form.a},{form.c},{form}", providertest.Hook("a=%41&b=1&b=2", form), "A,,a=%41&b=1&b=2"},
		{"x{form.b}", providertest.Hook("a=%41&b=1&b=2", form), ""},
		{"{form.a}{form}", providertest.Hook("a=1", "Content-Type: text/plain"), ""},
		{"{form.a}", providertest.Hook("--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nv\r\n--x--\r\n", "Content-Type: multipart/form-data; boundary=x"), "v"},
		{"{form.a|json b.c}", providertest.Hook("a=%7B%22b%22%3A%7B%22c%22%3A7%7D%7D", form), "7"},
		{"{body|sha256|hex}", providertest.Hook(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"{body|md5|base64}", providertest.Hook(""), "1B2M2Y8AsgTpgAmY7PhCfg=="},
		{"{body|crc32}", providertest.Hook("123456789"), "3421780262"},
		{"{body|base64url}", providertest.Hook("\xff\xfe"), "__4"},
		{"{body|unhex}{body|upper|lower}", providertest.Hook("6a"), "j6a"},
		{"{body|unbase64 strict}", providertest.Hook("YQ=="), "a"},
		{"{body|unbase64 strict}", providertest.Hook("YR=="), ""}, // not canonical
		{"{body|unbase64}", providertest.Hook("YR=="), "a"},
		{"{body|unbase64|hex}", providertest.Hook("_-8"), "ffef"},
		{"{body|atleast 3}", providertest.Hook("ab"), ""},
		{"{body|atleast 2}", providertest.Hook("ab"), "ab"},
		{"{query|then .}{header.B|then .}", at("https://e.com/?a"), "a."},
		{"{json.t|or header.T}", providertest.Hook(`{"t":1}`, "T: 2"), "1"},
		{"{json.t|or header.T}", providertest.Hook(`{}`, "T: 2"), "2"},
		{"{body|cut v1.}", providertest.Hook("v1.x"), "x"},
		{"{header.A|wrap id: ;}{header.B|wrap x}", providertest.Hook("", "A: 1"), "id:1;"},
		{"{query|escape|escape|wrap ?}", at("https://e.com/?a=1&b=x y"), "?a%253D1%2526b%253Dx%2520y"},
		{"{url|unescape :,}", at("https://e.com/?a=%3a%2C%20"), "https://e.com/?a=:,%20"},
		{"{url|port} {url|no_port} {url|no_query}", at("https://e.com/a?b"), "https://e.com:443/a?b https://e.com/a?b https://e.com/a"},
		{"{url|port} {url|no_port}", at("http://[::1]:81/a"), "http://[::1]:81/a http://[::1]/a"},
		{"{query|without b|sort}", at("https://e.com/?c=3&b=2&a=2&a=1&%61=0"), "%61=0&a=1&a=2&c=3"},
		{"{form|sort|unique|concat}", providertest.Hook("b=%26&a=2&a=1&a=1", form), "a1a2b&"},
		{"{header.H|headers ; :}", providertest.Hook("", "H: a,b", "A: 1", "B: 2"), "a:1;b:2"},
		{"{header.H|headers .}", providertest.Hook("", "H: a b", "A: 1", "B: 2"), "1.2"},
		{"{header.H|headers .}", providertest.Hook("", "H: a b", "A: 1"), ""},
		{"{header.H|type}", providertest.Hook("", "H: Text/Plain; charset=x"), "text/plain"},
		{"{body|nfkd}", providertest.Hook("\u00e9"), "e\u0301"},
	} {
		compiled, err := template.Parse(test.template)
		if err != nil {
			t.Errorf("%s: %v", test.template, err)
			continue
		}
		e := template.NewEnv(test.request, nil)
		if got := compiled.Text(e); got != test.want {
			t.Errorf("%s: got %q, want %q", test.template, got, test.want)
		}
		e.Free()
	}
}

// TestQuotedInPieces holds that a long text is written as a string of JSON as it would
// be at once, wherever its characters stand.
func TestQuotedInPieces(t *testing.T) {
	quoted := compiled(t, "{body|quote}")
	for _, unit := range []string{"a", "é", "\u2028", "\U0001f600", "\x80", "\xf0\x9f\x98", "\xe2\x80\xa8\x80", "<\""} {
		for shift := range 8 {
			e := template.NewEnv(providertest.Hook(strings.Repeat("a", shift)+strings.Repeat(unit, 10_000/len(unit))), nil)
			var written strings.Builder
			want := payload.AppendString(nil, string(e.Request.Body))
			if !quoted.Write(&written, e) || written.String() != string(want) {
				t.Errorf("%q from %d on is not written as it would be at once", unit, shift)
			}
			e.Free()
		}
	}
}

// TestASCII writes text beyond ASCII as escapes, at once and to a writer, and refuses what
// would be the same without that.
func TestASCII(t *testing.T) {
	escaped := compiled(t, "{body|ascii}")
	for text, want := range map[string]string{
		"äöå": `\u00e4\u00f6\u00e5`, `{"a":"😀 \u00e9<"}`: `{"a":"\ud83d\ude00 \u00e9<"}`, "\u2028x\ufffd": `\u2028x\ufffd`,
		"plain": "", "": "", "é\xff": "",
	} {
		e := template.NewEnv(providertest.Hook(text), nil)
		var written strings.Builder
		wrote := escaped.Write(&written, e)
		at, ok := escaped.AppendTo(nil, e)
		if wrote != (want != "") || ok != wrote || wrote && (written.String() != want || string(at) != want) {
			t.Errorf("%q is written %q (%v) and %q (%v), want %q", text, written.String(), wrote, at, ok, want)
		}
		e.Free()
	}
}

// TestLimits holds that what is beyond a limit makes a proof fail, instead of
// counting as empty.
func TestLimits(t *testing.T) {
	const form = "Content-Type: application/x-www-form-urlencoded"
	p := providertest.MustParse(t, providertest.Custom("signed {form|sort|concat}"))
	empty := providertest.Hook("", form)
	if err := p.Sign(empty, providertest.Now); err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]error{0: nil, payload.MaxFields: scheme.Wrong} {
		r := providertest.Hook(strings.Repeat("&", n), form)
		r.Header["X-Signature"] = empty.Header["X-Signature"]
		if err := p.Verify(r, providertest.Now); !errors.Is(err, want) {
			t.Errorf("%d pairs: got %v, want %v", n+1, err, want)
		}
	}
	for n, want := range map[int]string{payload.MaxParts - 1: "v", payload.MaxParts: ""} {
		body := "--b\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\nv\r\n" + providertest.MultipartOf(n, "a")
		e := template.NewEnv(providertest.Hook(body, "Content-Type: multipart/form-data; boundary=b"), nil)
		if got := e.FormValue("b"); got != want {
			t.Errorf("%d parts: got %q, want %q", n+1, got, want)
		}
		e.Free()
	}
}

// TestLimitsAreDocumented holds docs/configuration.md against the bounds of this package.
func TestLimitsAreDocumented(t *testing.T) {
	providertest.Documented(t, map[string]int{
		"%d signatures in a header":     template.MaxSignatures,
		"and %d in a request":           template.MaxCandidates,
		"lists as signed | %d headers":  template.MaxSignedHeaders,
		"takes values | %d levels deep": payload.MaxDepth,
		"takes values | %d pairs":       payload.MaxFields,
		"pairs, or %d parts":            payload.MaxParts,
		"or the like | %d bytes":        template.MaxText,
	})
}
