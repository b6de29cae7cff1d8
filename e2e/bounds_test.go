package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// A sender chooses event type and ID. They must not cost the event, whatever
// their length: they go into headers, lists and memory.
func TestLongIdentityCostsNothing(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := start(t, insignerSite(app.address, ""))
	long := strings.Repeat("x", 100_000)
	body := fmt.Appendf(nil, `{"id":%q,"event":%q}`, long, long)
	header := http.Header{"X-Insigner-Signature": {"sha256=" + hmacHex(insignerSecret, body)}}
	for range 2 {
		if status, answer := g.post("/hook", header, body); status != 200 {
			t.Fatalf("answer %d %q", status, answer)
		}
	}
	got := app.waitFor(t, 1)
	if eventType := got[0].header.Get("Webhook-Gateway-Event-Type"); len(eventType) != 256 {
		t.Errorf("the app got an event type of %d bytes, want 256", len(eventType))
	}
	if events := g.events(nil); len(events) != 1 || len(events[0].DeliveryID) != 32 {
		t.Errorf("got %d events, want one with a hash for its ID", len(events))
	}
}

// The next handler's failure is the gateway's to answer and to log: Caddy's
// error chain would log headers and query.
func TestFailureBehindVerifyOnlyLeaksNothing(t *testing.T) {
	t.Parallel()
	g := start(t, `{$HTTPS} {
	webhook_gateway /hook {
		provider fusesign top-secret-header {
			token query key top-secret-query
		}
	}
	reverse_proxy `+freeAddress(t)+`
}
`)
	header := http.Header{"Fuse-Signature": {"top-secret-header"}}
	status, _ := g.post("/hook?key=top-secret-query", header, []byte(`{"WebhookId":"1"}`))
	if status != http.StatusBadGateway {
		t.Errorf("answer %d, want 502", status)
	}
	for line := range strings.Lines(g.log.String()) {
		// Caddy's own debug lines quote the configuration and what it proxies.
		if strings.Contains(line, "top-secret") && !strings.Contains(line, `"level":"debug"`) &&
			!strings.Contains(line, "adjusted config") {
			t.Errorf("a secret is logged: %s", line)
		}
	}
}

// What failed for good is said in the log, without anybody asking for it.
func TestDeadLetterIsLogged(t *testing.T) {
	t.Parallel()
	app := newApp(t, status(http.StatusGone))
	g := start(t, insignerSite(app.address, ""))
	header, body := insigner("dead")
	g.post("/hook", header, body)
	eventually(t, "the dead letter is logged", func() bool {
		return strings.Contains(g.log.String(), `"msg":"dead letter"`) && strings.Contains(g.log.String(), "410 Gone")
	})
}
