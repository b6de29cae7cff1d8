package e2e

import (
	"fmt"
	"net"
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

// TestUnprovenBodiesAreNotRead announces bodies that never come. A request that
// lacks what its proof needs is refused all the same, and one that may be a
// handshake has no more read than a handshake has.
func TestUnprovenBodiesAreNotRead(t *testing.T) {
	t.Parallel()
	source := func(path, provider string) string {
		return "webhook_gateway " + path + " {\n source " + strings.Trim(path, "/*") + "\n provider " + provider + "\n insecure_http\n route app 127.0.0.1:1\n}\n"
	}
	g := start(t, "{$HTTP} {\n"+source("/header", "github secret")+source("/token", "fusesign secret")+
		source("/query", "custom {\ntoken query t secret\n}")+source("/path/*", "custom {\ntoken path secret\n}")+
		source("/either", "gitlab secret whsec_c2VjcmV0")+source("/jwt", "custom {\njwt HS256 {\nheader Authorization\nbody_hash b\nsecret s\n}\n}")+
		source("/rfc", "rfc9421 {\nalgorithm hmac-sha256\nsecret c2VjcmV0\n}")+source("/slack", "slack secret")+source("/asana", "asana")+"respond 404\n}\n")
	for _, test := range []struct {
		path   string
		body   string // that does come
		length int
	}{
		{"/header", "", 20 << 20}, {"/token", "", 1 << 20}, {"/query?t=wrong", "", 1 << 20}, {"/path/wrong", "", 1 << 20}, {"/either", "", 1 << 20},
		{"/jwt", "", 1 << 20}, {"/rfc", "", 1 << 20},
		{"/slack", strings.Repeat(" ", 65<<10), 1 << 20}, {"/asana", strings.Repeat(" ", 65<<10), 1 << 20},
	} {
		t.Run(test.path[1:], func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", g.http)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", test.path, g.http, test.length, test.body)
			if status := answerOn(conn); status != http.StatusUnauthorized {
				t.Errorf("answered %d, want 401", status)
			}
		})
	}
}
