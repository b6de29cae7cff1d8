package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"
	"time"
)

func TestRespond(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := start(t, insignerSite(app.address, `respond 202 "got it"`))
	header, body := insigner("d1")
	for range 2 { // the second is a duplicate
		resp, err := g.do("POST", "https://"+g.https+"/hook", header, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if resp.status != http.StatusAccepted || resp.body != "got it" || resp.header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("answer %d %q of type %q, want 202 got it", resp.status, resp.body, resp.header.Get("Content-Type"))
		}
	}
	if status, answer := g.post("/hook", nil, body); status != 401 || answer != "Unauthorized\n" {
		t.Errorf("a forgery was answered %d %q, want 401", status, answer)
	}
	g.settled("insigner", 1)
}

func TestDedupOff(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := start(t, insignerSite(app.address, "dedup off"))
	header, body := insigner("d1")
	for range 3 {
		if status, _ := g.post("/hook", header, body); status != 200 {
			t.Errorf("answer %d, want 200", status)
		}
	}
	g.settled("insigner", 3)
	if n := len(app.waitFor(t, 3)); n != 3 {
		t.Errorf("the app got %d deliveries, want 3", n)
	}
}

func TestDedupWindow(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := start(t, insignerSite(app.address, "dedup 1s 10"))
	header, body := insigner("d1")
	send := func() {
		if status, _ := g.post("/hook", header, body); status != 200 {
			t.Errorf("answer %d, want 200", status)
		}
	}
	began := time.Now()
	send()
	// Copies do not make the window longer.
	eventually(t, "the window ends", func() bool {
		send()
		return len(g.events(nil)) == 2
	})
	if took := time.Since(began); took < time.Second {
		t.Errorf("the second copy was taken after %v, want 1s at least", took)
	}
}

// TestDedupSurvivesRestart also finds the older of two delivery IDs with room
// for one in memory gone.
func TestDedupSurvivesRestart(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := start(t, insignerSite(app.address, "dedup 1h 1"))
	send := func(id string) {
		header, body := insigner(id)
		if status, _ := g.post("/hook", header, body); status != 200 {
			t.Errorf("answer %d, want 200", status)
		}
	}
	send("d1")
	send("d2")
	g.settled("insigner", 2)
	g.stop()
	g.run()
	send("d2")
	g.settled("insigner", 2)
	send("d1")
	g.settled("insigner", 3)
	if n := g.metric(`caddy_webhook_gateway_dedup_evicted_total{source="insigner"}`); n < 1 {
		t.Errorf("%v forgotten delivery IDs were counted, want 1 at least", n)
	}
}

func TestConflict(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := start(t, fmt.Sprintf(`{$HTTPS} {
	webhook_gateway /one {
		source one
		provider github secret
		route app %[1]s
	}
	webhook_gateway /two {
		source two
		provider github secret
		route app %[1]s
	}
}
`, app.address))
	send := func(path, body string) {
		if status, _ := g.post(path, github("secret", "d1", "push", []byte(body)), []byte(body)); status != 200 {
			t.Errorf("answer %d, want 200", status)
		}
	}
	conflicts := func() float64 { return g.metric(`caddy_webhook_gateway_conflicts_total{source="one"}`) }
	send("/one", "{}")
	send("/one", "{}")
	if n := conflicts(); n != 0 {
		t.Errorf("%v conflicts after the same body, want 0", n)
	}
	send("/one", "{ }")
	if n := conflicts(); n != 1 {
		t.Errorf("%v conflicts after another body, want 1", n)
	}
	g.settled("one", 1)
	send("/two", "{ }") // another source has IDs of its own
	g.settled("two", 1)
	if got := app.waitFor(t, 2); string(got[0].body) != "{}" || len(got) != 2 {
		t.Errorf("app got %d deliveries, the first with body %s", len(got), got[0].body)
	}
}

// TestRedelivery presses GitHub's button for an event that the app refused.
func TestRedelivery(t *testing.T) {
	t.Parallel()
	fine := newApp(t, nil)
	app := newApp(t, status(http.StatusGone))
	g := start(t, fmt.Sprintf(`{$HTTPS} {
	webhook_gateway /hook {
		provider github secret
		route broken %s
		route fine %s
	}
}
`, app.address, fine.address))
	send := func() {
		if status, _ := g.post("/hook", github("secret", "d1", "push", []byte("{}")), []byte("{}")); status != 200 {
			t.Errorf("answer %d, want 200", status)
		}
	}
	broken := func() string {
		for _, d := range g.events(nil)[0].Deliveries {
			if d.Route == "broken" {
				return d.State
			}
		}
		return ""
	}
	send()
	eventually(t, "the delivery dies", func() bool { return broken() == "dead" })
	if n := g.metric(`caddy_webhook_gateway_dead_letters_total{route="broken",source="github"}`); n != 1 {
		t.Errorf("%v dead letters were counted, want 1", n)
	}
	app.setAnswer(nil)
	send()
	eventually(t, "the delivery arrives", func() bool { return broken() == "delivered" })
	send()
	g.settled("github", 1)
	if broken, fine := len(app.deliveries()), len(fine.deliveries()); broken != 2 || fine != 1 {
		t.Errorf("the apps got %d and %d deliveries, want 2 and 1", broken, fine)
	}
}
