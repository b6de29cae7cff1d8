package provider

import (
	"encoding/json"
	"fmt"
	"net/textproto"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// keyedVector is a request of a provider that signs with a key of its own, or
// with a token of claims.
type keyedVector struct {
	ID, Type, Provider, Method, URL, Body string
	Secret                                string
	Headers                               map[string]string
	Now                                   float64
	Tolerance                             int `json:"tolerance_s"`
	Expected, Reason                      string
	ConfigError                           bool   `json:"config_error"`
	PublicKey                             string `json:"public_key"`
	Certificate, Algorithm, Label         string
	WebhookID                             string `json:"webhook_id"`
	Base                                  string `json:"signature_base"`
}

// keyedVectors returns those that are valid.
func keyedVectors(t testing.TB) (vectors []keyedVector) {
	t.Helper()
	content, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []json.RawMessage
	if err := json.Unmarshal(content, &all); err != nil {
		t.Fatal(err)
	}
	for _, text := range all {
		var v keyedVector
		err := json.Unmarshal(text, &v)
		if v.Type != "webhook" || !slices.ContainsFunc(presetsKeys, func(p Preset) bool { return p.Name == v.Provider }) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if v.Expected == "valid" && v.hasKey() {
			vectors = append(vectors, v)
		}
	}
	return vectors
}

func (v *keyedVector) hasKey() bool {
	return v.Secret != "" || v.PublicKey != "" || v.Certificate != ""
}

// request returns the vector's request and the time that it came.
func (v *keyedVector) request(t testing.TB) (*Request, time.Time) {
	var headers []string
	for name, value := range v.Headers {
		headers = append(headers, name+": "+value)
	}
	r := hook(v.Body, headers...)
	r.Method = v.Method
	if v.URL != "" {
		u, err := url.Parse(v.URL)
		if err != nil {
			t.Fatal(err)
		}
		r.Public = u
	}
	if v.Now == 0 {
		return r, now
	}
	return r, time.Unix(int64(v.Now), 0)
}

// config writes the receiver of a vector as a provider block.
func (v *keyedVector) config() string {
	var b strings.Builder
	b.WriteString(v.Provider + " {\n")
	for _, option := range [][2]string{
		{"secret", v.Secret}, {"public_key", v.PublicKey}, {"certificate", v.Certificate},
		{"algorithm", v.Algorithm}, {"label", v.Label}, {"webhook_id", v.WebhookID},
	} {
		if option[1] != "" {
			fmt.Fprintf(&b, "%s `%s`\n", option[0], option[1])
		}
	}
	if v.Tolerance > 0 {
		fmt.Fprintf(&b, "tolerance %ds\n", v.Tolerance)
	}
	return b.String() + "}"
}

// TestKeyedRefusals changes one thing of each valid request, so that nothing
// that is signed can change and pass.
func TestKeyedRefusals(t *testing.T) {
	for _, v := range keyedVectors(t) {
		p := mustParse(t, v.config())
		covered := v.ID != "rfc9421-01" && v.ID != "rfc9421-04"
		check := func(what string, change func(r *Request)) {
			t.Helper()
			r, at := v.request(t)
			change(r)
			if err := p.Verify(r, at); err == nil {
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
