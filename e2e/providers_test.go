package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/operate"
)

// TestProviders plays each of the five providers against one gateway, in which
// each source has an app of its own.
func TestProviders(t *testing.T) {
	t.Parallel()
	api := newTokenAPI(t)
	parties := theFive(api.URL)
	other := newApp(t, nil)
	apps := make(map[string]*app)
	var site strings.Builder
	var secrets, env []string
	for _, p := range parties {
		apps[p.name] = newApp(t, nil)
		fmt.Fprintf(&site, "webhook_gateway /%s/* {\n%s\nroute own `event == %q` %s\nroute other `event != %q` %s\n}\n",
			p.name, p.block, p.event, apps[p.name].address, p.event, other.address)
		secrets = append(secrets, p.secret)
		env = append(env, "E2E_"+strings.ToUpper(p.name)+"="+p.secret)
	}
	g := start(t, "{$HTTPS} {\n"+site.String()+"}\n", env...)
	for _, p := range parties {
		t.Run(p.name, func(t *testing.T) {
			s := &stage{t, g, p, apps[p.name]}
			s.delivers()
			s.refusesForgeries()
			s.takesDuplicates()
			s.takesCrowd()
		})
	}
	if n := len(other.deliveries()); n != 0 {
		t.Errorf("%d deliveries went to the wrong app", n)
	}
	if n := api.calls("good-crowd"); n != 1 {
		t.Errorf("Ignisign's API was asked %d times about one token, want 1", n)
	}
	g.checkLeaks(secrets)
}

// stage is where a provider is played.
type stage struct {
	*testing.T
	g *gateway
	party
	app *app
}

// send posts a delivery with the odd query.
func (s *stage) send(path string, header http.Header, body []byte) (int, string) {
	return s.g.post(path+oddQuery, header, body)
}

// delivers sends a good delivery, which the app gets as it was.
func (s *stage) delivers() {
	header, body := s.webhook("first")
	header["X-Repeated"] = []string{"one", "two, three", "one"}
	if status, answer := s.send(s.path, header, body); status != http.StatusOK || answer != "" {
		s.Fatalf("answer %d %q, want 200 without a body", status, answer)
	}
	got := s.app.waitFor(s.T, 1)[0]
	if got.method != http.MethodPost || got.uri != s.appPath+oddQuery || got.host != s.g.https {
		s.Errorf("app got %s %s for %s, want POST %s for %s", got.method, got.uri, got.host, s.appPath+oddQuery, s.g.https)
	}
	if !bytes.Equal(got.body, body) || got.length != int64(len(body)) || got.chunked {
		s.Errorf("app got %q (%d, chunked %t), want %q", got.body, got.length, got.chunked, body)
	}
	for name, values := range header {
		if !slices.Equal(got.header[name], values) {
			s.Errorf("app got %s %q, want %q", name, got.header[name], values)
		}
	}
	event := s.g.settled(s.name, 1)[0]
	if event.Type != s.event || event.Provider != s.name || event.State != "routed" ||
		event.Deliveries[0].Route != "own" || event.Deliveries[0].Attempts != 1 {
		s.Errorf("the gateway stored %+v", event)
	}
	for name, want := range map[string]string{"Source": s.name, "Event-Id": event.ID, "Event-Type": s.event, "Attempt": "1"} {
		if value := got.header.Get("Webhook-Gateway-" + name); value != want {
			s.Errorf("app got Webhook-Gateway-%s %q, want %q", name, value, want)
		}
	}
}

// refusesForgeries sends deliveries whose proof is no good: all get the same
// answer, and nothing is stored.
func (s *stage) refusesForgeries() {
	before := len(s.g.events(url.Values{"source": {s.name}}))
	for name, forge := range s.forgeries {
		header, body := s.webhook("forged")
		f := &forgery{s.path, header, bytes.Clone(body)}
		forge(f)
		if status, answer := s.send(f.path, f.header, f.body); status != http.StatusUnauthorized || answer != "Unauthorized\n" {
			s.Errorf("forgery %q was answered %d %q, want 401 Unauthorized", name, status, answer)
		}
	}
	if events := s.g.events(url.Values{"source": {s.name}}); len(events) != before {
		s.Errorf("forgeries were stored: %+v", events)
	}
	// A forged delivery does not use its ID up.
	header, body := s.webhook("forged")
	if status, _ := s.send(s.path, header, body); status != http.StatusOK {
		s.Errorf("the genuine delivery after its forgeries was answered %d, want 200", status)
	}
	s.app.waitFor(s.T, 2)
}

// takesDuplicates sends a delivery three times.
func (s *stage) takesDuplicates() {
	header, body := s.webhook("again")
	for range 3 {
		if status, _ := s.send(s.path, header, body); status != http.StatusOK {
			s.Errorf("answer %d, want 200", status)
		}
	}
	s.app.waitFor(s.T, 3)
	if n := len(s.g.settled(s.name, 3)); n != 3 {
		s.Errorf("%d events are stored, want 3", n)
	}
}

// takesCrowd sends a delivery fifty times at once.
func (s *stage) takesCrowd() {
	header, body := s.webhook("crowd")
	for _, status := range crowd(50, func() int { return s.g.try(s.path+oddQuery, header, body) }) {
		if status != http.StatusOK {
			s.Errorf("answer %d, want 200", status)
		}
	}
	s.g.settled(s.name, 4)
	if n := len(s.app.deliveries()); n != 4 {
		s.Errorf("the app got %d deliveries, want 4", n)
	}
}

// try posts a body, from any goroutine, and returns the status, or 0 when there
// is no answer.
func (g *gateway) try(path string, header http.Header, body []byte) int {
	resp, err := g.do(http.MethodPost, "https://"+g.https+path, header, bytes.NewReader(body))
	if err != nil {
		return 0
	}
	return resp.status
}

// crowd runs f n times at once and returns what it returned.
func crowd[T any](n int, f func() T) []T {
	results, ready := make([]T, n), make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-ready
			results[i] = f()
		})
	}
	close(ready)
	all.Wait()
	return results
}

// settled waits until a source has n events and nothing more to deliver, and
// returns them.
func (g *gateway) settled(source string, n int) (events []operate.EventInfo) {
	g.t.Helper()
	eventually(g.t, fmt.Sprintf("%d events of %s are delivered", n, source), func() bool {
		events = g.events(url.Values{"source": {source}})
		delivered := len(events) >= n
		for _, e := range events {
			for _, d := range e.Deliveries {
				delivered = delivered && d.State == "delivered"
			}
		}
		return delivered
	})
	if len(events) != n {
		g.t.Errorf("%d events of %s are stored, want %d", len(events), source, n)
	}
	return events
}

// checkLeaks looks for secrets in everything that the gateway has shown: its
// log, its metrics, and its events by API and by command.
func (g *gateway) checkLeaks(secrets []string) {
	g.t.Helper()
	shown := map[string]string{"metrics": g.adminText("/metrics"), "sources": g.adminText("/webhook_gateway/sources")}
	events := g.events(nil)
	shown["events"] = g.adminText("/webhook_gateway/events")
	for _, e := range events {
		shown["event "+e.Source] += g.adminText("/webhook_gateway/events/" + e.ID)
	}
	shown["caddy webhook show"], _, _ = g.command("webhook", "show", events[0].ID, "--address", g.admin)
	for line := range strings.Lines(g.log.String()) {
		// Caddy's own reverse_proxy shows all headers when it debugs.
		if !strings.Contains(line, `"logger":"http.handlers.reverse_proxy","msg":"upstream roundtrip"`) {
			shown["log"] += line
		}
	}
	for where, text := range shown {
		if text == "" {
			g.t.Errorf("%s is empty", where)
		}
		for _, secret := range secrets {
			if i := strings.Index(text, secret); i >= 0 {
				g.t.Errorf("secret %s leaks in %s: …%s…", secret, where, text[max(0, i-300):min(len(text), i+100)])
			}
		}
	}
}
