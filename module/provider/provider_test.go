package provider_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
)

func TestPresetsSayWhereTheyComeFrom(t *testing.T) {
	for _, p := range provider.Presets() {
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
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		`github`:                                       "GitHub needs a secret",
		`github ""`:                                    "secret 1 is empty",
		`github {env.EMPTY}`:                           "secret 1 has no value: {env.EMPTY} is empty",
		`github {env.BLANK}`:                           "secret 1 has no value: {env.BLANK} is empty",
		`github {env.FULL} {env.EMPTY}`:                "secret 2 has no value: {env.EMPTY} is empty",
		`github {env.FULL}{env.UNSET}`:                 "secret 1 has no value: {env.UNSET} is not set in the environment of Caddy (a reload does not bring new variables)",
		`github {file.testdata/missing}`:               "secret 1 has no value: {file.testdata/missing}: no such file",
		`github {file.testdata}`:                       "secret 1 has no value: {file.testdata} cannot be read: is a directory",
		"github {file." + empty + "}":                  "secret 1 has no value: {file." + empty + "} is empty",
		`github {envv.FULL}`:                           "there is no placeholder {envv.FULL}",
		`fusesign ""`:                                  "secret 1 is empty",
		"insertsign {\ntoken path {env.EMPTY}\n}":      "token 1 has no value: {env.EMPTY} is empty",
		`insertsign s`:                                 "uses no secret",
		`standardwebhooks whsec_`:                      "not a key in base64",
		`standardwebhooks s3cret!`:                     "not a key in base64",
		"custom zz {\nhmac {\nheader X\nkey hex\n}\n}": "not a key in hex",
	} {
		_, err := providertest.Parse(text)
		switch {
		case err == nil || !strings.Contains(err.Error(), want):
			t.Errorf("%s: got %v, want %s", text, err, want)
		case strings.Contains(err.Error(), "s3cret"):
			t.Errorf("%s: the error tells the secret: %v", text, err)
		}
	}
}

// TestWholeHeadersAreSecrets holds that the value of a header can be a secret, as Okta
// and Adyen have it, and that elsewhere Bearer before a secret is an error.
func TestWholeHeadersAreSecrets(t *testing.T) {
	for text, want := range map[string]string{
		`auth0 "Bearer s3cret"`: "",
		`okta "Bearer s3cret"`:  "",
		"adyen 00ff {\ntoken header Authorization \"Basic dXNlcjpwYXNz\"\n}": "",
		"custom {\ntoken header Authorization \"Bearer s3cret\"\n}":          "",
		`github "Bearer s3cret"`:                                                   "it begins with Bearer",
		`cloudevents "Bearer s3cret"`:                                              "it begins with Bearer",
		"insertsign {\ntoken query key \"Bearer s3cret\"\n}":                       "it begins with Bearer",
		"custom {\ntoken header Authorization \"Bearer x\" {\nprefix Bearer\n}\n}": "it begins with Bearer",
	} {
		_, err := providertest.Parse(text)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

func TestRotation(t *testing.T) {
	for _, name := range []string{
		"github", "fusesign", "stripe", "insigner", "iusign",
	} {
		both := providertest.MustParse(t, name+" new old")
		for secret, want := range map[string]error{"new": nil, "old": nil, "other": scheme.Wrong, "ne": scheme.Wrong, "newold": scheme.Wrong} {
			r := providertest.Hook(`{"a":1}`)
			if err := providertest.MustParse(t, name+" "+secret).Sign(r, providertest.Now); err != nil {
				t.Fatal(err)
			}
			if err := both.Verify(r, providertest.Now); !errors.Is(err, want) {
				t.Errorf("%s signed with %s: got %v, want %v", name, secret, err, want)
			}
		}
		r := providertest.Hook(`{"a":1}`)
		if err := both.Sign(r, providertest.Now); err != nil {
			t.Fatal(err)
		}
		if err := providertest.MustParse(t, name+" new").Verify(r, providertest.Now); err != nil {
			t.Errorf("%s does not sign with its first secret", name)
		}
	}
}

func TestTokenGuardsOnTopOfTheProof(t *testing.T) {
	p := providertest.MustParse(t, "github s {\ntoken header X-Guard g\n}")
	signed := providertest.Hook("body")
	if err := p.Sign(signed, providertest.Now); err != nil {
		t.Fatal(err)
	}
	if err := p.Verify(signed, providertest.Now); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"X-Guard", "X-Hub-Signature-256"} {
		r := providertest.Hook("body")
		for other, values := range signed.Header {
			if other != name {
				r.Header[other] = values
			}
		}
		if err := p.Verify(r, providertest.Now); !errors.Is(err, scheme.Missing) {
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
		if got := providertest.MustParse(t, text).Proves(); got != want {
			t.Errorf("%s: got %v", text, got)
		}
	}
}

// TestRefusalsAreComparable holds that callers may compare them and take them
// for errors.
func TestRefusalsAreComparable(t *testing.T) {
	err := providertest.MustParse(t, "github s").Verify(providertest.Hook("body"), providertest.Now)
	if refusal := scheme.Refusal(""); !errors.As(err, &refusal) || refusal != scheme.Missing {
		t.Errorf("got %v", err)
	}
}
