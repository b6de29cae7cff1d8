package presets_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
)

// TestKlaviyo holds a signature that was made with openssl over the body and the date
// behind it, without any option.
func TestKlaviyo(t *testing.T) {
	const (
		body = `{"data":[{"topic":"event:klaviyo.opened_email"}],"meta":{"timestamp":"2025-11-28T16:00:00Z"}}`
		date = "Fri, 28 Nov 2025 16:00:00 GMT"
	)
	p := providertest.MustParse(t, "klaviyo klaviyo-demo-secret")
	r := providertest.Hook(body, "Klaviyo-Timestamp: "+date, "Klaviyo-Signature: 3046a113d7817ddfddc0d11a459fae82820e471b3cdc09d02574aa6fe623a060")
	at, err := http.ParseTime(date)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Verify(r, at.Add(time.Minute)); err != nil {
		t.Error(err)
	}
	if err := p.Verify(r, at.Add(time.Hour)); !errors.Is(err, scheme.TooOld) {
		t.Errorf("an hour later: %v", err)
	}
	if err := p.Sign(r, at.Add(time.Hour)); err != nil || p.Verify(r, at.Add(time.Hour)) != nil {
		t.Errorf("signed anew: %v, %v", err, r.Header)
	}
}

// TestSinchVoice2 takes the form of the header that version 2.0 of the Voice API writes.
func TestSinchVoice2(t *testing.T) {
	p := providertest.MustParse(t, "sinch_voice BeIukql3pTKJ8RGL5zo0DA== {\napp_key svc-1\n}")
	for _, kind := range []string{"Application", "application", "service"} {
		r := providertest.Hook(`{}`, "Authorization: "+kind+" svc-1:AAAA", "X-Timestamp: 2014-09-24T10:59:41Z", "Content-Type: application/json")
		if err := p.Sign(r, providertest.Now); err != nil {
			t.Fatal(err)
		}
		if got := r.HeaderValue("Authorization"); len(got) != len(kind+" svc-1:")+44 || got[:len(kind)+1] != kind+" " {
			t.Errorf("%s became %s", kind, got)
		}
		if err := p.Verify(r, providertest.Now); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// TestNamedByTheBody holds that what a header does not name is named by the body.
func TestNamedByTheBody(t *testing.T) {
	for _, test := range []struct{ config, body, header, event string }{
		{"gitlab s", `{"object_kind":"push","event_name":"push"}`, "X-Gitlab-Event: System Hook", "push"},
		{"gitlab s", `{"event_name":"project_create"}`, "X-Gitlab-Event: System Hook", "project_create"},
		{"gitlab s", `{"object_kind":"tag_push"}`, "X-Gitlab-Event: Tag Push Hook", "Tag Push Hook"},
		{"gitlab s", `{"object_kind":"push"}`, "X-Other: 1", "push"},
		{"netlify s", `{"state":"ready"}`, "X-Other: 1", "ready"},
		{"netlify s", `{"state":"ready"}`, "X-Netlify-Event: deploy_created", "deploy_created"},
	} {
		profile := providertest.MustParse(t, test.config).Profile()
		if got := providertest.Evaluate(t, profile.Event, providertest.Hook(test.body, test.header)); got != test.event {
			t.Errorf("%s, %s: %q, want %q", test.config, test.header, got, test.event)
		}
	}
}

// TestVendorsFacts holds what vendors document of their clocks, methods and addresses.
func TestVendorsFacts(t *testing.T) {
	for config, want := range map[string]struct {
		horizon time.Duration
		gets    bool
		ranges  int
	}{
		"yousign s": {horizon: 96*time.Hour + 38*time.Minute}, "chargebee a:b": {horizon: 72 * time.Hour}, "podium s": {horizon: 8 * time.Hour},
		"sanity s": {horizon: time.Minute}, "hubspot s": {horizon: 24 * time.Hour, gets: true}, "vonage s": {gets: true},
		"revolut s": {ranges: 2}, "boldsign s": {ranges: 4}, "customerio s": {ranges: 24},
	} {
		profile := providertest.MustParse(t, config).Profile()
		ranges := 0
		if profile.Ranges != nil {
			ranges = len(profile.Ranges.List)
		}
		if profile.Horizon != want.horizon || profile.Sends("GET") != want.gets || ranges != want.ranges {
			t.Errorf("%s: retries for %v, GET %v, %d addresses; want %v", config, profile.Horizon, profile.Sends("GET"), ranges, want)
		}
	}
}
