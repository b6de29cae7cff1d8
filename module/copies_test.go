package module

import (
	"encoding/hex"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// sourceOf returns a source of a custom provider whose profile says what tells copies.
func sourceOf(t *testing.T, copies provider.Copies, change func(*Handler)) *Handler {
	t.Helper()
	h, err := NewSource(caddyfile.NewTestDispenser("provider custom {\nnone\nid `body.id`\n}"))
	if err != nil {
		t.Fatal(err)
	}
	h.Source = "shop"
	h.profile.Copies = copies
	if change != nil {
		change(h)
	}
	if err := h.provisionIdentity(); err != nil {
		t.Fatal(err)
	}
	return h
}

// identified returns what tells a webhook from others, and the delivery ID.
func identified(h *Handler, contentType, target, body string) (queue.Identity, string) {
	r := httptest.NewRequest("POST", target, nil)
	r.Header.Set("Content-Type", contentType)
	hook := webhooks.Get().(*webhook)
	defer hook.free()
	h.describe(hook, r, []byte(body), time.Now())
	h.find(hook)
	return hook.identity, hook.input.ID
}

// relation says how a webhook is taken after another one.
func relation(first, second queue.Identity) string {
	switch {
	case first == queue.Identity{} || second == queue.Identity{}:
		return "new"
	case first.Key != second.Key:
		return "new"
	case first.Body != second.Body && first.Body != queue.BodyDigest{} && second.Body != queue.BodyDigest{}:
		return "conflict"
	}
	return "copy"
}

func TestWhatTellsCopies(t *testing.T) {
	dedup := func(by string) func(*Handler) { return func(h *Handler) { h.Dedup = &Dedup{By: by} } }
	own := func(h *Handler) { h.ID = "body.own" }
	const json = "application/json"
	for name, test := range map[string]struct {
		copies         provider.Copies
		change         func(*Handler)
		same           string // what a second request is with the same body
		body           string // with another body and the same ID
		withoutID      string // with the same body, without an ID
		otherWithoutID string // with another body, without an ID
	}{
		"default":                       {provider.Copies{}, nil, "copy", "conflict", "copy", "new"},
		"by id":                         {provider.Copies{By: "id"}, nil, "copy", "copy", "copy", "new"},
		"by id, else nothing":           {provider.Copies{By: "id", WithoutID: "nothing"}, nil, "copy", "copy", "new", "new"},
		"by id and body":                {provider.Copies{By: "id_and_body", WithoutID: "nothing"}, nil, "copy", "conflict", "new", "new"},
		"by body":                       {provider.Copies{By: "body"}, nil, "copy", "new", "copy", "new"},
		"by nothing":                    {provider.Copies{By: "nothing"}, nil, "new", "new", "new", "new"},
		"the operator's id":             {provider.Copies{By: "id_and_body"}, dedup("id"), "copy", "copy", "copy", "new"},
		"the operator's id and body":    {provider.Copies{By: "id"}, dedup("id_and_body"), "copy", "conflict", "copy", "new"},
		"the operator's for nothing":    {provider.Copies{By: "nothing"}, dedup("id"), "copy", "copy", "new", "new"},
		"an expression of the operator": {provider.Copies{}, own, "copy", "copy", "copy", "new"},
		"an expression, by id and body": {provider.Copies{}, func(h *Handler) { own(h); dedup("id_and_body")(h) }, "copy", "conflict", "copy", "new"},
		"off":                           {provider.Copies{By: "id"}, func(h *Handler) { h.Dedup = &Dedup{Off: true} }, "new", "new", "new", "new"},
	} {
		h := sourceOf(t, test.copies, test.change)
		of := func(body string) queue.Identity { id, _ := identified(h, json, "/hook", body); return id }
		a, b := `{"id":"d1","own":"d1","n":1}`, `{"id":"d1","own":"d1","n":2}`
		for what, got := range map[string][2]string{
			"the same":               {relation(of(a), of(a)), test.same},
			"another body":           {relation(of(a), of(b)), test.body},
			"the same, without ID":   {relation(of(`{"n":1}`), of(`{"n":1}`)), test.withoutID},
			"another one without ID": {relation(of(`{"n":1}`), of(`{"n":2}`)), test.otherWithoutID},
		} {
			if got[0] != got[1] {
				t.Errorf("%s: %s is %s, want %s", name, what, got[0], got[1])
			}
		}
	}
}

// What the provider changes between tries makes no difference.
func TestVolatileParts(t *testing.T) {
	const json, form = "application/json", "application/x-www-form-urlencoded"
	volatile := []string{"{json.attempt}", "{json.#.attempt}", "{form.attempt}", "{query.attempt}"}
	for _, test := range []struct {
		contentType, first, second string // each a target and a body
		same                       bool
	}{
		{json, `/a {"x":1,"attempt":1}`, `/a {"x":1,"attempt":2}`, true},
		{json, `/a {"x":1}`, `/a {"x":1,"attempt":2}`, true},
		{json, `/a {"x":1,"attempt":1}`, `/a {"x":2,"attempt":1}`, false},
		{json, `/a [{"x":1,"attempt":0}]`, `/a [{"x":1,"attempt":1}]`, true},
		{json, `/a {"x":{"attempt":1}}`, `/a {"x":{"attempt":2}}`, false},
		{form, `/a x=1&attempt=1`, `/a x=1&attempt=2`, true},
		{form, `/a x=1&attempt=1`, `/a x=2&attempt=1`, false},
		{json, `/a?y=1&attempt=1 {}`, `/a?y=1&attempt=2 {}`, true},
		{json, `/a?y=1 {}`, `/a?y=2 {}`, false},
		{json, `/a {}`, `/b {}`, false},
		{json, `/a {"x`, `/a {"x`, true},
	} {
		for _, by := range []string{"body", "id_and_body"} {
			h := sourceOf(t, provider.Copies{By: by, Volatile: volatile}, func(h *Handler) { h.ID, h.Dedup = `"d1"`, &Dedup{} })
			h.copies.by = by // which an expression of the operator's would override
			of := func(request string) queue.Identity {
				target, body, _ := strings.Cut(request, " ")
				id, _ := identified(h, test.contentType, target, body)
				return id
			}
			same := relation(of(test.first), of(test.second)) == "copy"
			urls := strings.Split(test.first, " ")[0] != strings.Split(test.second, " ")[0]
			if want := test.same || by == "id_and_body" && urls; same != want {
				t.Errorf("by %s: %s and %s are the same: %v, want %v", by, test.first, test.second, same, want)
			}
		}
	}
	for _, text := range []string{"attempt", "{attempt}", "{header.X}", "{json.}", "{json.a*}"} {
		if _, err := (provider.Copies{Volatile: []string{text}}).Omission(); err == nil {
			t.Errorf("volatile %s is taken", text)
		}
	}
}

// An ID is shown as it is; a hash that stands in for one is hex.
func TestShownID(t *testing.T) {
	for _, by := range []string{"", "id", "body", "nothing"} {
		h := sourceOf(t, provider.Copies{By: by}, nil)
		if _, id := identified(h, "application/json", "/hook", `{"id":"d1"}`); id != "d1" {
			t.Errorf("by %q: the ID is shown as %q", by, id)
		}
		_, id := identified(h, "application/json", "/hook", `{}`)
		if hash, err := hex.DecodeString(id); err != nil || len(hash) != 16 {
			t.Errorf("by %q: the hash is shown as %q", by, id)
		}
	}
}

// A one-time proof must not be checked again with another body, whatever is configured.
func TestOneTimeProof(t *testing.T) {
	h, err := NewSource(caddyfile.NewTestDispenser("provider ignisign {\napp_id a\napp_env TEST\napi_key k\n}"))
	if err != nil {
		t.Fatal(err)
	}
	h.profile.Copies = provider.Copies{By: "id_and_body"}
	if err := h.provisionIdentity(); err != nil {
		t.Fatal(err)
	}
	first, _ := identified(h, "application/json", "/hook", `{"verificationToken":"t1","n":1}`)
	second, _ := identified(h, "application/json", "/hook", `{"verificationToken":"t1","n":2}`)
	if relation(first, second) != "copy" {
		t.Error("another body with a token that was seen is no copy")
	}
}

func TestIdentifyingAllocatesNothing(t *testing.T) {
	for _, by := range []string{"id", "id_and_body", "body"} {
		h := sourceOf(t, provider.Copies{By: by}, nil)
		r := httptest.NewRequest("POST", "/hook", nil)
		hook := webhooks.Get().(*webhook)
		h.describe(hook, r, []byte(`{"id":"d1"}`), time.Now())
		if n := testing.AllocsPerRun(100, func() { hook.identity, _ = h.identity(hook, "d1") }); n > 0 {
			t.Errorf("by %s: %v allocations", by, n)
		}
		hook.free()
	}
}
