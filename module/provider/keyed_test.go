package provider

import (
	"net/textproto"
	"slices"
	"strings"
	"testing"
)

// keyedVectors returns the vectors of presets whose proofs are verified with a
// public key, or are tokens, as far as a secret or key is known.
func keyedVectors(t testing.TB) (vectors []*vector) {
	t.Helper()
	for _, v := range readVectors(t) {
		keyed := slices.ContainsFunc(presetsKeys, func(p Preset) bool { return p.Name == v.Provider })
		if keyed && v.Type == "webhook" && !v.NoKey && (v.Secret != nil || v.options["public_key"] != nil || v.options["certificate"] != nil) {
			vectors = append(vectors, v)
		}
	}
	return vectors
}

// TestKeyedMatched holds that the first key counts as the first.
func TestKeyedMatched(t *testing.T) {
	matched := 0
	for _, v := range keyedVectors(t) {
		if v.Expected != "valid" {
			continue
		}
		r := v.request(t)
		if err := mustParse(t, v.config(t)).Verify(r, v.at()); err != nil || r.Matched != 1 {
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
	for _, v := range keyedVectors(t) {
		if v.Expected != "valid" {
			continue
		}
		p := mustParse(t, v.config(t))
		covered := v.ID != "rfc9421-01" && v.ID != "rfc9421-04"
		check := func(what string, change func(r *Request)) {
			t.Helper()
			r := v.request(t)
			change(r)
			if err := p.Verify(r, v.at()); err == nil {
				t.Errorf("%s: %s: taken", v.ID, what)
			}
		}
		for name := range v.Headers {
			name = textproto.CanonicalMIMEHeaderKey(name)
			if strings.HasPrefix(name, "X-Amz-") || strings.HasPrefix(name, "Content-") || name == "Host" || name == "Date" {
				continue
			}
			check(name+" twice", func(r *Request) { r.Header[name] = append(r.Header[name], r.Header[name][0]) })
			check("no "+name, func(r *Request) { delete(r.Header, name) })
		}
		if covered || strings.HasPrefix(v.Provider, "rfc") {
			check("other body", func(r *Request) { r.Body = append([]byte(nil), append(r.Body, ' ', 'x')...) })
		}
	}
}

// keyedConfigs has a configuration of each preset whose proofs only the
// provider can make.
var keyedConfigs = map[string]string{
	"discord":  "discord {\npublic_key " + rfc8032Key + "\n}",
	"telnyx":   "telnyx {\npublic_key " + rfc8032Key + "\n}",
	"sendgrid": "sendgrid {\npublic_key " + p256Key + "\n}",
	"plaid":    "plaid {\npublic_key " + p256Key + "\n}",
	"aws_sns":  "aws_sns",
	"paypal":   "paypal {\nwebhook_id 4JH86294D6297924G\n}",
	"ebay":     "ebay {\npublic_key " + p256Key + "\n}",
	"rfc9421":  "rfc9421 {\nalgorithm ed25519\npublic_key " + rfc8032Key + "\n}",
}

// The first key of RFC 8032, and a key of SendGrid's tests.
const (
	rfc8032Key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
	p256Key    = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g=="
)
