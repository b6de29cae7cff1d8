package template_test

import (
	"errors"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// TestPut signs where the proof stands in the content, and changes nothing else.
func TestPut(t *testing.T) {
	const form = "Content-Type: application/x-www-form-urlencoded"
	for _, test := range []struct {
		options, body, header string
		want                  string // what the body begins and ends with around the signature
		end                   string
	}{
		{"from {json.a.sig}\nsigned {json.b}", `{ "a": {"sig" : null}, "b": 1 }`, "X: y", `{ "a": {"sig" : "`, `"}, "b": 1 }`},
		{"from {form.sig}\nsigned {form.b}", "b=%31&sig=x&c", form, "b=%31&c&sig=", ""},
		{"from `{form.j|json sig}`\nsigned `{form.j|json b}`", "j=%7B%22sig%22%3A%22%22%2C%22b%22%3A1%7D", form, "j=%7B%22sig%22%3A%22", "%22%2C%22b%22%3A1%7D"},
		{"each list\nfrom {json.sig}\nsigned {json.b}", `{"list":[{"sig":"","b":1}]}`, "X: y", `{"list":[{"sig":"`, `","b":1}]}`},
	} {
		p := providertest.MustParse(t, "custom s3cret {\nhmac {\n"+test.options+"\n}\n}")
		r := providertest.Hook(test.body, test.header)
		if err := p.Sign(r, providertest.Now); err != nil {
			t.Errorf("%s: %v", test.options, err)
			continue
		}
		if err := p.Verify(r, providertest.Now); err != nil {
			t.Errorf("%s: %v in %s", test.options, err, r.Body)
		}
		got := string(r.Body)
		if len(got) != len(test.want)+64+len(test.end) || got[:len(test.want)] != test.want || got[len(got)-len(test.end):] != test.end {
			t.Errorf("%s: %s became %s", test.options, test.body, got)
		}
		if p.(provider.Resigner).Unsignable("") == "" {
			t.Errorf("%s: an app's body would be changed", test.options)
		}
	}
	for _, place := range []string{"{json.missing}", "{form.sig}", "{body}", "{json.a|lower}"} {
		p := providertest.MustParse(t, "custom s3cret {\nhmac {\nfrom "+place+"\nsigned {json.a}\n}\n}")
		if err := p.Sign(providertest.Hook(`{"a":"b"}`), providertest.Now); !errors.Is(err, template.ErrPlace) {
			t.Errorf("%s: got %v", place, err)
		}
	}
}

// TestEach holds that each element must be signed by itself.
func TestEach(t *testing.T) {
	if _, err := providertest.Parse("custom s3cret {\nhmac {\neach list\nfrom {json.sig}\nsigned {body}{json.b}\n}\n}"); err == nil {
		t.Error("each element would have the whole body hashed")
	}
	p := providertest.MustParse(t, "custom s3cret {\nhmac {\neach list\nfrom {json.sig}\nsigned {json.b}\n}\n}")
	r := providertest.Hook(`{"list":[{"sig":"","b":1},{"sig":"","b":2}]}`)
	if err := p.Sign(r, providertest.Now); err != nil {
		t.Fatal(err)
	}
	if err := p.Verify(r, providertest.Now); err != nil {
		t.Errorf("%v in %s", err, r.Body)
	}
	signed := string(r.Body)
	for body, want := range map[string]error{
		signed[:len(signed)-2] + `,{"b":3}]}`:            scheme.Missing,
		signed[:len(signed)-2] + `,{"sig":"00","b":3}]}`: scheme.Wrong,
		signed[:len(signed)-2] + `,1]}`:                  scheme.Missing,
		`{"list":[]}`:                                    scheme.Missing,
		`{"list":{}}`:                                    scheme.Missing,
		`[]`:                                             scheme.Missing,
		signed[:len(signed)-1] + `,"list":[{"b":3}]}`:    scheme.Missing, // twice
	} {
		if err := p.Verify(providertest.Hook(body), providertest.Now); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", body, err, want)
		}
	}
}
