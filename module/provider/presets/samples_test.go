package presets_test

import (
	"encoding/base64"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

var signedHeader = regexp.MustCompile(`\{header\.([A-Za-z0-9-]+)`)

// TestSamplesHaveWhatIsSigned holds that no sample is signed over a header that it lacks:
// the provider's own library would look for it. Where several proofs exist, it looks at
// those that the signed sample has.
func TestSamplesHaveWhatIsSigned(t *testing.T) {
	optional := []string{"Content-Type"} // of a request without a body
	configs := providertest.Configs()
	for _, p := range provider.Presets() {
		if providertest.KeyedConfigs[p.Name] != "" || len(p.Proofs) == 0 || p.Name == "ignisign" {
			continue
		}
		configured := providertest.MustParse(t, configs[p.Name])
		for _, sample := range configured.Profile().Samples() {
			r := signedSample(t, configured, &sample)
			for i := range p.Proofs {
				hmac := p.Proofs[i].HMAC
				if p.Proofs[i].Digest != nil {
					hmac = &p.Proofs[i].Digest.HMAC
				}
				if hmac == nil || r.Header[template.HeaderIn(hmac.From)] == nil {
					continue
				}
				for _, match := range signedHeader.FindAllStringSubmatch(strings.Join(hmac.Signed, " "), -1) {
					name := textproto.CanonicalMIMEHeaderKey(match[1])
					if r.HeaderValue(name) == "" && !slices.Contains(optional, name) && !strings.Contains(hmac.Signed[0], match[1]+"|") {
						t.Errorf("%s, %s: %s is signed, and is not there", p.Name, sample.Event, name)
					}
				}
			}
		}
	}
}

func signedSample(t *testing.T, p provider.Provider, sample *provider.Sample) *template.Request {
	t.Helper()
	r, err := sample.Request(providertest.Now, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.To(&url.URL{Scheme: "https", Host: "hooks.example.com", Path: "/hooks/a"})
	r.DeliveryID = func() string { return "delivery-1" }
	if err := p.Sign(r, providertest.Now); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestSamplesParse holds what the libraries of Paddle, Braintree and Hygraph need beyond a
// right signature: they fail on a sample that lacks it.
func TestSamplesParse(t *testing.T) {
	text := func(name string, sample int) string {
		p := providertest.MustParse(t, providertest.Configs()[name])
		r := signedSample(t, p, &p.Profile().Samples()[sample])
		if name != "braintree" {
			return string(r.Body) + r.HeaderValue("Gcms-Signature")
		}
		form, err := url.ParseQuery(string(r.Body))
		if err != nil {
			t.Fatal(err)
		}
		xml, err := base64.StdEncoding.DecodeString(form.Get("bt_payload"))
		if err != nil {
			t.Fatal(err)
		}
		return string(xml)
	}
	for _, test := range []struct {
		name   string
		sample int
		has    []string
	}{
		{"paddle", 0, []string{`"items":[{"price":`, `"payments":[`, `"totals":{`}},
		{"paddle", 1, []string{`"current_billing_period":{`, `"billing_cycle":{"interval"`, `"items":[{"status":`}},
		{"braintree", 0, []string{`<transactions type="array"/>`, `<add-ons type="array"/>`, `<discounts type="array"/>`}},
		{"hygraph", 0, []string{", env=master, t="}},
	} {
		got := text(test.name, test.sample)
		for _, part := range test.has {
			if !strings.Contains(got, part) {
				t.Errorf("sample %d of %s has no %s", test.sample, test.name, part)
			}
		}
	}
}
