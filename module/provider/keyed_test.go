package provider_test

import (
	"net/textproto"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// TestKeyedMatched holds that the first key counts as the first.
func TestKeyedMatched(t *testing.T) {
	matched := 0
	for _, v := range providertest.KeyedVectors(t) {
		if v.Expected != "valid" {
			continue
		}
		r := v.Request(t)
		if err := providertest.MustParse(t, v.Config(t)).Verify(r, v.At()); err != nil || r.Matched != 1 {
			t.Errorf("%s: key %d matched, want 1: %v", v.ID, r.Matched, err)
		}
		matched++
	}
	if matched < 15 {
		t.Errorf("there were %d vectors", matched)
	}
}

// TestKeyedRefusals changes one thing of each valid request, so that nothing
// that is signed can change and pass.
func TestKeyedRefusals(t *testing.T) {
	for _, v := range providertest.KeyedVectors(t) {
		if v.Expected != "valid" {
			continue
		}
		p := providertest.MustParse(t, v.Config(t))
		unsigned := []string{"Wechatpay-Serial", "X-Delivery-Id"}
		if v.ID == "truelayer-05" { // whose signature lists no header
			unsigned = append(unsigned, "X-Tl-Webhook-Timestamp")
		}
		covered := v.ID != "rfc9421-01" && v.ID != "rfc9421-04"
		check := func(what string, change func(r *template.Request)) {
			t.Helper()
			r := v.Request(t)
			change(r)
			if err := p.Verify(r, v.At()); err == nil {
				t.Errorf("%s: %s: taken", v.ID, what)
			}
		}
		for name := range v.Headers {
			name = textproto.CanonicalMIMEHeaderKey(name)
			if strings.HasPrefix(name, "X-Amz-") || strings.HasPrefix(name, "Content-") || name == "Host" || name == "Date" || slices.Contains(unsigned, name) {
				continue
			}
			check(name+" twice", func(r *template.Request) { r.Header[name] = append(r.Header[name], r.Header[name][0]) })
			check("no "+name, func(r *template.Request) { delete(r.Header, name) })
		}
		if covered || strings.HasPrefix(v.Provider, "rfc") {
			check("other body", func(r *template.Request) { r.Body = append([]byte(nil), append(r.Body, ' ', 'x')...) })
		}
	}
}
