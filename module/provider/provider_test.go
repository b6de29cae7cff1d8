package provider

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// now is when the tests happen.
var now = time.Unix(1_760_000_000, 0)

// parse reads a provider from a Caddyfile and takes it through JSON, as a
// configuration does.
func parse(text string) (Provider, error) {
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
	return loaded.(Provider), loaded.(caddy.Provisioner).Provision(caddy.Context{})
}

func mustParse(t testing.TB, text string) Provider {
	t.Helper()
	p, err := parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return p
}

// hook makes a request with headers given as "Name: value".
func hook(body string, headers ...string) *Request {
	r := &Request{
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

func TestPresetsSayWhereTheyComeFrom(t *testing.T) {
	for _, p := range Presets() {
		if p.Title == "" || p.Category == "" || !strings.HasPrefix(p.Source, "https://") || p.Event == "" {
			t.Errorf("%s lacks title, category, source or event", p.Name)
		}
		switch p.Confidence {
		case "docs", "code", "secondary", "unspecified":
		default:
			t.Errorf("%s: unknown confidence %q", p.Name, p.Confidence)
		}
		if p.Horizon > 0 && p.NeverRetries {
			t.Errorf("%s retries and never retries", p.Name)
		}
		for _, o := range p.Options {
			if !strings.HasSuffix(o.Help, ".") || o.Required && o.Default != "" ||
				o.Choices != nil && o.Default != "" && !slices.Contains(o.Choices, o.Default) {
				t.Errorf("%s: option %s has no sentence of help, or a default that is no choice or not needed", p.Name, o.Name)
			}
		}
	}
}

func TestEmptySecretsAreRefused(t *testing.T) {
	t.Setenv("EMPTY", "")
	t.Setenv("BLANK", " \n\t")
	t.Setenv("FULL", "s3cret")
	for text, want := range map[string]string{
		`github`:                                       "GitHub needs a secret",
		`github ""`:                                    "secret 1 is empty",
		`github {env.EMPTY}`:                           "secret 1 is empty",
		`github {env.BLANK}`:                           "secret 1 is empty",
		`github {env.FULL} {env.EMPTY}`:                "secret 2 is empty",
		`github {file.testdata/missing}`:               "secret 1 is empty",
		`github {envv.FULL}`:                           "there is no placeholder {envv.FULL}",
		`fusesign ""`:                                  "secret 1 is empty",
		"insertsign {\ntoken path {env.EMPTY}\n}":      "token 1 is empty",
		`insertsign s`:                                 "proves nothing with a secret",
		`standardwebhooks whsec_`:                      "not a key in base64",
		`standardwebhooks s3cret!`:                     "not a key in base64",
		"custom zz {\nhmac {\nheader X\nkey hex\n}\n}": "not a key in hex",
	} {
		_, err := parse(text)
		switch {
		case err == nil || !strings.Contains(err.Error(), want):
			t.Errorf("%s: got %v, want %s", text, err, want)
		case strings.Contains(err.Error(), "s3cret"):
			t.Errorf("%s: the error tells the secret: %v", text, err)
		}
	}
}

func TestRotation(t *testing.T) {
	for _, scheme := range []string{
		"github", "fusesign", "stripe", "insigner", "iusign",
	} {
		both := mustParse(t, scheme+" new old")
		for secret, want := range map[string]error{"new": nil, "old": nil, "other": Wrong, "ne": Wrong, "newold": Wrong} {
			r := hook(`{"a":1}`)
			if err := mustParse(t, scheme+" "+secret).Sign(r, now); err != nil {
				t.Fatal(err)
			}
			if err := both.Verify(r, now); err != want {
				t.Errorf("%s signed with %s: got %v, want %v", scheme, secret, err, want)
			}
		}
		r := hook(`{"a":1}`)
		if err := both.Sign(r, now); err != nil {
			t.Fatal(err)
		}
		if err := mustParse(t, scheme+" new").Verify(r, now); err != nil {
			t.Errorf("%s does not sign with its first secret", scheme)
		}
	}
}

func TestTokenGuardsOnTopOfTheProof(t *testing.T) {
	p := mustParse(t, "github s {\ntoken header X-Guard g\n}")
	signed := hook("body")
	if err := p.Sign(signed, now); err != nil {
		t.Fatal(err)
	}
	if err := p.Verify(signed, now); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"X-Guard", "X-Hub-Signature-256"} {
		r := hook("body")
		for other, values := range signed.Header {
			if other != name {
				r.Header[other] = values
			}
		}
		if err := p.Verify(r, now); err != Missing {
			t.Errorf("without %s: got %v", name, err)
		}
	}
	if got := fmt.Sprint(p.Profile().SecretHeaders); got != "[X-Guard]" {
		t.Errorf("secret headers are %s", got)
	}
}

func TestProves(t *testing.T) {
	for text, want := range map[string]bool{
		"github s":                       true,
		"fusesign s":                     true,
		"insertsign":                     false,
		"insertsign {\ntoken path s\n}":  true,
		"custom {\nnone\n}":              false,
		"custom {\ntoken query key s\n}": true,
	} {
		if got := mustParse(t, text).Proves(); got != want {
			t.Errorf("%s: got %v", text, got)
		}
	}
}

// TestRefusalsAreComparable holds that callers may compare them and take them
// for errors.
func TestRefusalsAreComparable(t *testing.T) {
	err := mustParse(t, "github s").Verify(hook("body"), now)
	if refusal := Refusal(""); !errors.As(err, &refusal) || refusal != Missing {
		t.Errorf("got %v", err)
	}
}
