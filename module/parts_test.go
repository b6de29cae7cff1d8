package module

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// TestElementsWithoutID holds that what stands around a list tells elements without an ID,
// whatever the app gets of them.
func TestElementsWithoutID(t *testing.T) {
	for _, as := range []string{"", " as element"} {
		h := loadSource(t, "", "each body.events"+as+"\nevent body.type\nroute app localhost:1\n")
		keys := make(map[queue.DedupKey]bool)
		for _, account := range []int{7, 8, 8} {
			body := fmt.Sprintf(`{"account":%d,"events":[{"type":"x"}]}`, account)
			hook := webhooks.Get().(*webhook)
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			h.describe(hook, r, []byte(body), hook.received)
			b, whole, err := h.cut(hook)
			if err != nil || whole != nil {
				t.Fatal(whole, err)
			}
			keys[b.parts[0].identity.Key] = true
			hook.free()
		}
		if len(keys) != 2 {
			t.Errorf("each body.events%s: two events and a copy have %d keys", as, len(keys))
		}
	}
}

// TestSecretsMayComeBack holds that a removed tenant is no reason to give up, also for a
// body that the route makes.
func TestSecretsMayComeBack(t *testing.T) {
	for _, r := range []*Route{{}, {RewriteBody: new(RewriteBody)}} {
		if got := r.unsigned(fmt.Errorf("x: %w", noSecret("acme"))); got.Outcome != queue.Retry || !got.Unsent {
			t.Errorf("%+v", got)
		}
	}
	if got := (&Route{RewriteBody: new(RewriteBody)}).unsigned(errors.New("no field")); got.Outcome != queue.Refused {
		t.Errorf("a made body that cannot be signed: %+v", got)
	}
}
