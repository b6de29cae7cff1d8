package e2e

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
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

// TestRespondWithValues holds that the answer has its type and values of the request.
func TestRespondWithValues(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	for answer, want := range map[string][2]string{
		"respond 200 <Response/>": {"text/xml; charset=utf-8", "<Response/>"},
		"respond 200 `{\"type\":\"{header.X-InSigner-Event}\",\"of\":\"{host}\"}`": {"application/json", `{"type":"document.completed","of":"127.0.0.1"}`},
		"respond 200 <a> text/x-acme": {"text/x-acme", "<a>"},
	} {
		g := start(t, insignerSite(app.address, answer))
		header, body := insigner("d1")
		resp, err := g.do("POST", "https://"+g.https+"/hook", header, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]string{resp.header.Get("Content-Type"), resp.body}; got != want {
			t.Errorf("%s: %q, want %q", answer, got, want)
		}
	}
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

// TestConflict posts other bodies with an ID that was there: they are events of their
// own, unless the operator says that the ID alone decides.
func TestConflict(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := start(t, fmt.Sprintf(`{$HTTPS} {
	webhook_gateway /one {
		source one
		provider github secret
		dedup by id_and_body
		route app %[1]s
	}
	webhook_gateway /two {
		source two
		provider github secret
		dedup 1h by id
		route app %[1]s
	}
}
`, app.address))
	send := func(path, body string) {
		t.Helper()
		if status, _ := g.post(path, github("secret", "d1", "push", []byte(body)), []byte(body)); status != 200 {
			t.Errorf("answer %d, want 200", status)
		}
	}
	conflicts := func(source string) float64 {
		return g.metric(fmt.Sprintf(`caddy_webhook_gateway_conflicts_total{source=%q}`, source))
	}
	send("/one", "{}")
	send("/one", "{}")
	if n := conflicts("one"); n != 0 {
		t.Errorf("%v conflicts after the same body, want 0", n)
	}
	for range 2 { // the second time they are copies
		send("/one", "{ }")
		send("/one", "{}")
	}
	if n := conflicts("one"); n != 1 {
		t.Errorf("%v conflicts after another body, want 1", n)
	}
	g.settled("one", 2)
	g.stop()
	g.run()
	send("/one", "{ }")
	send("/one", "{}")
	g.settled("one", 2)
	send("/two", "{}") // another source has IDs of its own
	send("/two", "{ }")
	g.settled("two", 1)
	if n := conflicts("two"); n != 0 {
		t.Errorf("%v conflicts by the ID alone, want 0", n)
	}
	bodies := make(map[string]int)
	for _, d := range app.waitFor(t, 3) {
		bodies[string(d.body)]++
	}
	if bodies["{}"] != 2 || bodies["{ }"] != 1 {
		t.Errorf("the app got %v", bodies)
	}
}

// TestStatesOfOneMessage posts what Twilio does: the ID is that of the message, and each
// state is an event.
func TestStatesOfOneMessage(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	const public = "https://hooks.example.com/hook"
	g := start(t, fmt.Sprintf(`{$HTTPS} {
	webhook_gateway /hook {
		provider twilio secret {
			external_url %s
		}
		route app %s
	}
}
`, public, app.address))
	states := []string{"queued", "sent", "delivered"}
	for range 2 { // the second time they are copies
		for _, state := range states {
			mac := hmac.New(sha1.New, []byte("secret"))
			fmt.Fprintf(mac, "%sMessageSidSM1MessageStatus%s", public, state)
			header := http.Header{
				"Content-Type":       {"application/x-www-form-urlencoded"},
				"X-Twilio-Signature": {base64.StdEncoding.EncodeToString(mac.Sum(nil))},
			}
			if status, _ := g.post("/hook", header, []byte("MessageSid=SM1&MessageStatus="+state)); status != 200 {
				t.Errorf("answer %d, want 200", status)
			}
		}
	}
	g.settled("twilio", len(states))
	if n := len(app.waitFor(t, len(states))); n != len(states) {
		t.Errorf("the app got %d deliveries, want %d", n, len(states))
	}
}

// TestHashIsNoID sends an event whose ID is what the hash of another one, which has no
// ID, was made of once.
func TestHashIsNoID(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := start(t, insignerSite(app.address, ""))
	without := []byte(`{"event":"document.completed","n":7}`)
	with, err := json.Marshal(map[string]string{"event": "document.completed", "id": "insigner\x00/hook\x00\x00" + string(without)})
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range [][]byte{with, without} {
		if status, _ := g.post("/hook", jsonHeader("X-InSigner-Signature", "sha256="+hmacHex(insignerSecret, body)), body); status != 200 {
			t.Errorf("answer %d, want 200", status)
		}
	}
	g.settled("insigner", 2)
	app.waitFor(t, 2)
}

// TestAnswerToCopies also looks for the copies in what an operator sees.
func TestAnswerToCopies(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := start(t, insignerSite(app.address, ""))
	header, body := insigner("d1")
	send := func() http.Header {
		t.Helper()
		resp, err := g.do("POST", "https://"+g.https+"/hook", header, bytes.NewReader(body))
		if err != nil || resp.status != 200 {
			t.Fatalf("answer %+v, %v", resp, err)
		}
		return resp.header
	}
	if h := send(); h.Get("Webhook-Gateway-Duplicate") != "" || h.Get("Webhook-Gateway-Event-Id") != "" {
		t.Errorf("the first answer has %v", h)
	}
	g.settled("insigner", 1)
	id := g.events(nil)[0].ID
	if c := g.events(nil)[0].Copies; c != nil {
		t.Errorf("before any copy: %+v", c)
	}
	for range 2 {
		if h := send(); h.Get("Webhook-Gateway-Duplicate") != "true" || h.Get("Webhook-Gateway-Event-Id") != id {
			t.Errorf("the answer to a copy of %s has %v", id, h)
		}
	}
	if c := g.events(nil)[0].Copies; c == nil || c.Count != 2 || len(c.Times) != 2 || time.Since(c.Times[1]) > patience {
		t.Errorf("copies in the list: %+v", c)
	}
	if out := g.must(t, "show", id); !strings.Contains(out, "copies       2: ") {
		t.Errorf("show printed\n%s", out)
	}
	// The copies are stored with what becomes of the event.
	g.must(t, "replay", "--route", "app", id)
	app.waitFor(t, 2)
	g.settled("insigner", 1)
	g.stop()
	g.run()
	if c := g.events(nil)[0].Copies; c == nil || c.Count != 2 {
		t.Errorf("copies after a restart: %+v", c)
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
