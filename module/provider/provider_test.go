package provider

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

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
	for _, name := range []string{
		"github", "fusesign", "stripe", "insigner", "iusign",
	} {
		both := mustParse(t, name+" new old")
		for secret, want := range map[string]error{"new": nil, "old": nil, "other": Wrong, "ne": Wrong, "newold": Wrong} {
			r := hook(`{"a":1}`)
			if err := mustParse(t, name+" "+secret).Sign(r, now); err != nil {
				t.Fatal(err)
			}
			if err := both.Verify(r, now); err != want {
				t.Errorf("%s signed with %s: got %v, want %v", name, secret, err, want)
			}
		}
		r := hook(`{"a":1}`)
		if err := both.Sign(r, now); err != nil {
			t.Fatal(err)
		}
		if err := mustParse(t, name+" new").Verify(r, now); err != nil {
			t.Errorf("%s does not sign with its first secret", name)
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
