package presets_test

import (
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
)

// TestGrafanaSignsTheTimeWhereItSendsOne takes signatures with and without a
// timestamp.
func TestGrafanaSignsTheTimeWhereItSendsOne(t *testing.T) {
	p := providertest.MustParse(t, "grafana s {\ntimestamp_header X-Time\n}")
	timed := providertest.Hook("{}")
	if err := p.Sign(timed, providertest.Now); err != nil || timed.HeaderValue("X-Time") == "" {
		t.Fatalf("signed with %v: %v", timed.Header, err)
	}
	if err := p.Verify(timed, providertest.Now.Add(6*time.Minute)); !errors.Is(err, scheme.TooOld) {
		t.Errorf("six minutes later: got %v, want %v", err, scheme.TooOld)
	}
	delete(timed.Header, "X-Time")
	if err := p.Verify(timed, providertest.Now); err == nil {
		t.Error("valid without the time that was signed")
	}
	plain := providertest.Hook("{}", "X-Grafana-Alerting-Signature: "+hex.EncodeToString(providertest.SHA256Of("s", "{}")))
	if err := p.Verify(plain, providertest.Now.Add(6*time.Minute)); err != nil {
		t.Errorf("the body alone: %v", err)
	}
}

// TestBatches holds that a batch goes by its first event, and that its ID is not
// that of one event: another batch may begin with the same one.
func TestBatches(t *testing.T) {
	for _, test := range []struct {
		config, body string
		headers      []string
		event, id    string
	}{
		{"auth0 s", `{"log_id":"1","data":{"type":"s"}}`, nil, "s", "1"},
		{"auth0 s", `[{"log_id":"1","data":{"type":"s"}},{"log_id":"2","data":{"type":"fp"}}]`, nil, "batch", ""},
		{"azure_event_grid", `[{"id":"1","eventType":"a"}]`, nil, "a", "1"},
		{"azure_event_grid", `[{"id":"1","eventType":"a"},{"id":"2","eventType":"b"}]`, nil, "batch", ""},
		{"azure_event_grid", `{"id":"1","type":"a"}`, nil, "a", "1"},
		{"azure_event_grid", `{}`, []string{"Ce-Type: a", "Ce-Id: 1"}, "a", "1"},
		{"cloudevents", `{"source":"/s","id":"1","type":"a"}`, nil, "a", "/s 1"},
		{"cloudevents", `{}`, []string{"Ce-Source: /s", "Ce-Type: a", "Ce-Id: 1"}, "a", "/s 1"},
		{"asana s", `{"events":[{"action":"added","resource":{"resource_type":"task"}}]}`, nil, "task.added", ""},
		{"asana s", `{"events":[]}`, nil, "", ""},
	} {
		profile, r := providertest.MustParse(t, test.config).Profile(), providertest.Hook(test.body, test.headers...)
		event, id := providertest.Evaluate(t, profile.Event, r), ""
		if profile.ID != "" {
			id = providertest.Evaluate(t, profile.ID, r)
		}
		if event != test.event || id != test.id {
			t.Errorf("%s, %s: event %q and ID %q, want %q and %q", test.config, test.body, event, id, test.event, test.id)
		}
	}
}
