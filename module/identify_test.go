package module

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// TestIDIsWhatTheProofCovers holds that the handler goes by the expressions of the proof
// that counted, whatever other headers a request has, and that a provider of JSON and
// forms has its bodies read so.
func TestIDIsWhatTheProofCovers(t *testing.T) {
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	for _, test := range []struct {
		config, contentType, body string
		headers                   []string // that are signed
		unsigned                  []string // that a stranger adds
		event, id                 string
	}{
		{"svix " + secret, "application/json", `{"type":"a"}`, []string{"Webhook-Id", "m", "Webhook-Timestamp", "0", "Webhook-Signature", "v1,AAAA"}, []string{"Svix-Id", "x"}, "a", "m"},
		{"gitlab " + secret, "application/json", `{"object_kind":"a"}`, []string{"Webhook-Id", "m"}, []string{"Idempotency-Key", "x", "X-Gitlab-Event-Uuid", "y"}, "a", "m"},
		{"coinbase_cdp " + secret, "application/json", `{"eventType":"a"}`,
			[]string{"X-Event-Id", "m", "X-Hook0-Signature", "t=0,h=x-event-id,v1=00"}, []string{"X-Event-Type", "x"}, "a", "m"},
		{"coinbase_cdp " + secret, "application/json", `{"eventType":"a"}`,
			[]string{"X-Hook0-Signature", "t=0,h=content-type,v1=00"}, []string{"X-Event-Id", "x"}, "a", "hash"},
		{"slack " + secret, "text/plain", "command=a&trigger_id=m", nil, nil, "a", "m"},
		{"stripe " + secret, "application/xml", `{"id":"m","type":"a"}`, nil, nil, "a", "m"},
	} {
		h, err := NewSource(caddyfile.NewTestDispenser("provider " + test.config))
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		header := http.Header{"Content-Type": {test.contentType}}
		for i := 0; i < len(test.headers); i += 2 {
			header.Set(test.headers[i], test.headers[i+1])
		}
		signed := &provider.Request{Method: "POST", Path: "/", Header: header, Body: []byte(test.body), Public: new(url.URL)}
		if err := h.provider.Sign(signed, now); err != nil {
			t.Fatal(err)
		}
		if header.Get("Webhook-Signature") != "" { // Sign makes the first proof as well
			header.Del("Svix-Signature")
		}
		evaluate := func() *Evaluation {
			r := httptest.NewRequest("POST", "/", bytes.NewReader(signed.Body))
			r.Header = header.Clone()
			return h.Evaluate(r, signed.Body, EvaluateOptions{At: now})
		}
		want := test.id
		if want == "hash" {
			want = evaluate().ID
		}
		for i := 0; i < len(test.unsigned); i += 2 {
			header.Set(test.unsigned[i], test.unsigned[i+1])
		}
		if e := evaluate(); e.Verdict != Valid || e.EventType != test.event || e.ID != want {
			t.Errorf("%s: %s %s, event type %q and ID %q, want %q and %q", test.config, e.Verdict, e.Why, e.EventType, e.ID, test.event, want)
		}
	}
}
