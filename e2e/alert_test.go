package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func init() { caddy.RegisterModule(new(note)) }

// note is a handler of Caddy's events that writes them to a file.
type note struct {
	Path string `json:"path,omitempty"`
}

func (*note) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.note", New: func() caddy.Module { return new(note) }}
}

func (n *note) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.Args(&n.Path) {
		return d.ArgErr()
	}
	return nil
}

// noted is a line that note writes.
type noted struct {
	Name string
	Data map[string]any
}

func (n *note) Handle(_ context.Context, e caddy.Event) error {
	f, err := os.OpenFile(n.Path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	return json.NewEncoder(f).Encode(noted{e.Name(), e.Data})
}

// readNotes reads what note wrote.
func readNotes(t *testing.T, path string) (all []noted) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(content)) {
		var n noted
		if json.Unmarshal([]byte(line), &n) == nil { // the last one may be half written
			all = append(all, n)
		}
	}
	return all
}

func TestAlerts(t *testing.T) {
	t.Parallel()
	app := newApp(t, func(w http.ResponseWriter, r *http.Request) {
		if idOf(r) == "bad" {
			w.WriteHeader(http.StatusUnprocessableEntity)
		}
	})
	down := unstartedApp(t, freeAddress(t), nil)
	g := newGateway(t)
	path := filepath.Join(g.dir, "notes")
	options := queueIn + "\n}\nevents {\n"
	for _, name := range []string{"dead_letter", "route_failing", "route_recovered"} {
		options += fmt.Sprintf("on webhook_gateway.%s note %s\n", name, path)
	}
	sites := insignerSite(app.address, "route down "+down.address+quick)
	g.write(options, sites)
	g.run()
	g.mustSend("bad", "b", "c", "d", "e", "f", "g")
	notes := make(map[string]noted)
	await := func(name string) noted {
		t.Helper()
		eventually(t, name+" is emitted", func() bool {
			for _, n := range readNotes(t, path) {
				notes[n.Name] = n
			}
			return notes[name].Data != nil
		})
		n := notes[name]
		if n.Data["source"] != "insigner" {
			t.Errorf("%s: %+v", name, n)
		}
		return n
	}
	n := await("webhook_gateway.dead_letter")
	e, _ := g.event("bad")
	if n.Data["route"] != "app" || n.Data["event"] != e.ID || n.Data["type"] != "document.completed" ||
		n.Data["reason"] != "422 Unprocessable Entity" || n.Data["status"] != 422. || n.Data["attempts"] != 1. {
		t.Errorf("dead letter: %+v", n.Data)
	}
	n = await("webhook_gateway.route_failing")
	if reason, _ := n.Data["reason"].(string); n.Data["route"] != "down" || !strings.Contains(reason, "connection refused") {
		t.Errorf("failing route: %+v", n.Data)
	}
	if n := g.metric(prefix + `route_failing{route="down",source="insigner"}`); n != 1 {
		t.Errorf("route_failing is %v", n)
	}

	// Over a reload it goes on failing, and tells the new handlers when it stops.
	path += "-after"
	g.write(strings.ReplaceAll(options, "/notes", "/notes-after"), sites)
	if err := g.reload(); err != nil {
		t.Fatal(err)
	}
	down.listen(t)
	if n := await("webhook_gateway.route_recovered"); n.Data["route"] != "down" {
		t.Errorf("recovered route: %+v", n.Data)
	}
	g.settle("insigner", "down")
	if n := g.metric(prefix + `route_failing{route="down",source="insigner"}`); n != 0 {
		t.Errorf("route_failing is %v", n)
	}
	time.Sleep(50 * time.Millisecond)
	for _, n := range readNotes(t, path) {
		if n.Name == "webhook_gateway.route_failing" {
			t.Error("the route is failing a second time")
		}
	}
}

// Each attempt that fails is one line of the log.
func TestFailedAttemptsAreLogged(t *testing.T) {
	t.Parallel()
	app := newApp(t, func(w http.ResponseWriter, r *http.Request) {
		if idOf(r) == "bad" {
			w.WriteHeader(http.StatusGone)
		} else if attemptOf(r) < 4 {
			w.WriteHeader(http.StatusBadGateway)
		}
	})
	g := start(t, insignerSite(app.address+quick, ""))
	g.mustSend("good", "bad")
	g.waitForState("good", "app", "delivered")
	g.waitForState("bad", "app", "dead")
	type line struct {
		Level, Msg, Source, Route, Event, Outcome, Reason string
		Attempt, Status                                   int
		Duration                                          float64
	}
	var found []line
	for text := range strings.Lines(g.log.String()) {
		var l line
		if json.Unmarshal([]byte(text), &l) == nil && l.Msg == "delivery attempt failed" {
			found = append(found, l)
		}
	}
	attempts := make(map[string]int)
	for _, l := range found {
		attempts[l.Event]++
		want := line{"warn", l.Msg, "insigner", "app", l.Event, "retry", "502 Bad Gateway", attempts[l.Event], 502, l.Duration}
		if l.Status == http.StatusGone {
			want.Outcome, want.Reason, want.Status = "refused", "410 Gone", 410
		}
		if l != want || l.Duration <= 0 {
			t.Errorf("logged %+v, want %+v", l, want)
		}
	}
	good, _ := g.event("good")
	bad, _ := g.event("bad")
	if attempts[good.ID] != 3 || attempts[bad.ID] != 1 || len(found) != 4 {
		t.Errorf("logged attempts: %v", found)
	}
}
