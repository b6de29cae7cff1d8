package operate

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
)

// playProvider makes a provider as send --provider does, with what it needs.
func playProvider(t *testing.T, d *provider.Description) (*localProvider, error) {
	t.Helper()
	var secrets, options []string
	for _, o := range d.Options {
		if o.Required {
			options = append(options, o.Name+"="+providertest.OptionValue(o))
		}
	}
	switch {
	case d.Name == "rfc9421":
		secrets, options = []string{strings.TrimPrefix(providertest.OwnSecret, "whsec_")}, []string{"algorithm=hmac-sha256"}
	case d.Name == "ignisign":
		options = []string{"app_id=a", "app_env=TEST", "api_key=k"}
	case len(d.Proofs) == 0:
		options = append(options, "token=header X-Guard g")
	default:
		secrets = []string{providertest.SecretOf(d.Name)}
	}
	return newLocalProvider(providerFlags{d.Name, secrets, options}, SendOptions{}, false)
}

// TestEveryPresetSends signs each sample of each preset, as it is and tampered
// with, and holds it against the preset.
func TestEveryPresetSends(t *testing.T) {
	var alone []string
	tampered := make(map[string]int)
	for _, d := range provider.Descriptions() {
		t.Run(d.Name, func(t *testing.T) {
			p, err := playProvider(t, &d)
			if err != nil && strings.Contains(err.Error(), "private key that only the provider has") {
				alone = append(alone, d.Name)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(p.events()) == 0 {
				t.Fatal("there are no samples")
			}
			for _, event := range p.events() {
				where := checkSigned(t, p, event)
				where, _, _ = strings.Cut(where, " X-")
				tampered[where]++
			}
		})
	}
	if want := []string{"apple_app_store", "aws_sns", "discord", "ebay", "fal", "keygen", "paypal", "plaid", "sendgrid", "telnyx", "travis", "truelayer", "wechat_pay", "wise"}; !slices.Equal(alone, want) {
		t.Errorf("only %v have private keys, want %v", alone, want)
	}
	t.Log(tampered)
	for _, where := range []string{"the body", "the header", "the query"} {
		if tampered[where] == 0 {
			t.Errorf("none is tampered with in %s: %v", where, tampered)
		}
	}
}

func checkSigned(t *testing.T, p *localProvider, event string) (where string) {
	t.Helper()
	for _, bad := range []bool{false, true} {
		options := SendOptions{Event: event, URL: "https://hooks.example.com/in?a=b", Tamper: bad}
		s, err := newSampler(p.name, p.provider, options, new(tls.Config), p.mask)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		signed, err := s.sign(now)
		if err != nil {
			t.Fatalf("%s: %v", event, err)
		}
		if err := p.provider.Verify(signed.Request, now); (err != nil) != bad {
			t.Errorf("%s, tampered %v: verifies to %v", event, bad, err)
		}
		if bad && bytes.HasPrefix(signed.Body, []byte("{")) && !json.Valid(signed.Body) {
			t.Errorf("%s: tampered into no JSON: %s", event, signed.Body)
		}
		where = signed.tampered
	}
	return where
}

// TestTamperChangesOneByte compares a request with what it was.
func TestTamperChangesOneByte(t *testing.T) {
	now := time.Now()
	for want, options := range map[string][]string{
		"the body":         nil,
		"the header X-Key": {"token=header X-Key abc"},
		"the query":        {"token=query k a%20c"},
		"the path":         {"token=path abc"},
	} {
		name, secrets := "insertsign", []string(nil)
		if options == nil {
			name, secrets = "insigner", []string{"s"}
		}
		p, err := newLocalProvider(providerFlags{name, secrets, options}, SendOptions{}, false)
		if err != nil {
			t.Fatal(err)
		}
		s, err := newSampler(p.name, p.provider, SendOptions{URL: "https://example.com/in"}, new(tls.Config), p.mask)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := s.sign(now)
		if err != nil {
			t.Fatal(err)
		}
		whole := func() []byte {
			return slices.Concat(signed.Body, []byte(signed.Path+"?"+signed.RawQuery), []byte(strings.Join(signed.Header["X-Key"], "")))
		}
		before := whole()
		if where, err := tamper(p.provider, signed.Request, now); err != nil || where != want {
			t.Errorf("tampered with %s, want %s: %v", where, want, err)
		}
		after, changed := whole(), 0
		for i := range after {
			if after[i] != before[i] {
				changed++
			}
		}
		if len(after) != len(before) || changed != 1 {
			t.Errorf("%s: %d bytes of %s changed: %s", want, changed, before, after)
		}
	}
	// What proves nothing cannot be tampered with, and stays as it is.
	p, err := newLocalProvider(providerFlags{"insertsign", nil, nil}, SendOptions{}, false)
	if err != nil {
		t.Fatal(err)
	}
	r := &provider.Request{Public: new(url.URL), Path: "/in", RawQuery: "a=1", Header: map[string][]string{"A": {"b"}}, Body: []byte(`{"a":1}`)}
	if _, err := tamper(p.provider, r, now); err == nil || !bytes.Equal(r.Body, []byte(`{"a":1}`)) || r.Path != "/in" || r.RawQuery != "a=1" || r.Header["A"][0] != "b" {
		t.Errorf("tampered with %+v: %v", r, err)
	}
}
