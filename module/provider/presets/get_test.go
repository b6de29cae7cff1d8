package presets_test

import (
	"net/url"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// TestGetsAreIdentified holds that a webhook by GET, whose parameters stand in the query,
// has the type and the ID that the same one by POST has.
func TestGetsAreIdentified(t *testing.T) {
	for _, test := range []struct{ config, fields, event, id string }{
		{"twilio s", "MessageSid=SM1&SmsStatus=delivered&MessageStatus=delivered", "delivered", "SM1"},
		{"twilio s", "CallSid=CA1&CallStatus=ringing", "ringing", "CA1"},
		{"plivo s", "MessageUUID=m1&Status=delivered", "delivered", "m1"},
		{"plivo s", "CallUUID=c1&Event=StartApp&CallStatus=ringing", "StartApp", ""},
		{"messagebird s", "id=m1&status=delivered&statusDatetime=2026-11-28T17%3A00%3A00Z", "delivered", "m1.delivered.2026-11-28T17:00:00Z"},
		{"messagebird_legacy s", "id=m1&status=delivered&statusDatetime=2026-11-28T17%3A00%3A00Z", "delivered", "m1.delivered.2026-11-28T17:00:00Z"},
	} {
		profile := providertest.MustParse(t, test.config).Profile()
		get, post := providertest.Hook(""), providertest.Hook(test.fields, "Content-Type: "+providertest.FormType)
		get.Method, get.RawQuery, get.Public.RawQuery = "GET", test.fields, test.fields
		post.RawQuery, post.Public.RawQuery = "", ""
		for _, r := range []*template.Request{get, post} {
			event, id := providertest.Evaluate(t, profile.Event, r), ""
			if profile.ID != "" {
				id = providertest.Evaluate(t, profile.ID, r)
			}
			if event != test.event || id != test.id {
				t.Errorf("%s by %s, %s: event %q and ID %q, want %q and %q", test.config, r.Method, test.fields, event, id, test.event, test.id)
			}
		}
	}
}

// TestSlackInteractions finds type and ID in the JSON of a form's field.
func TestSlackInteractions(t *testing.T) {
	profile := providertest.MustParse(t, "slack s").Profile()
	for body, want := range map[string][2]string{
		"payload=" + url.QueryEscape(`{"type":"block_actions","trigger_id":"t1","actions":[{"action_id":"ok"}]}`): {"block_actions", "t1"},
		"payload=" + url.QueryEscape(`{"type":"view_closed","view":{"id":"V1"}}`):                                 {"view_closed", ""},
		"command=%2Fdeploy&trigger_id=t2": {"/deploy", "t2"},
	} {
		r := providertest.Hook(body, "Content-Type: "+providertest.FormType)
		if event, id := providertest.Evaluate(t, profile.Event, r), providertest.Evaluate(t, profile.ID, r); event != want[0] || id != want[1] {
			t.Errorf("%s: event %q and ID %q, want %q", body, event, id, want)
		}
	}
}
