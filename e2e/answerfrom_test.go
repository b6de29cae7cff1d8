package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/operate"
)

// askingSite is a site with an inSigner source at /hook. The route app answers events
// whose ID does not begin with x; the others go to another app. respond is 202 with "later".
func askingSite(upstream, other, deadline string) string {
	return fmt.Sprintf(`{$HTTPS} {
	webhook_gateway /hook {
		provider insigner %s
		route app `+"`not (id startsWith \"x\")`"+` %s
		route audit %s
		respond 202 later
		answer_from app %s
	}
}
`, insignerSecret, upstream, other, deadline)
}

// isLater reports whether an answer is that of respond.
func isLater(r *response) bool { return r != nil && r.status == 202 && r.body == "later" }

// spoken answers with a status, a body and headers of all kinds.
func spoken(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for name, value := range map[string]string{
			"Content-Type": "application/vnd.app+json", "X-App": "yes", "Set-Cookie": "session=1", "Location": "/there",
			"Webhook-Gateway-Event-Id": "made up", "Keep-Alive": "timeout=5", "Connection": "x-app-hop, keep-alive", "X-App-Hop": "1",
			"Proxy-Authenticate": "Basic", "Server": "app",
		} {
			w.Header().Set(name, value)
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// random returns so many bytes that nothing compresses.
func random(n int) string {
	content := make([]byte, n)
	_, _ = rand.Read(content)
	return string(content)
}

// TestAnswerFrom passes on what the app answers, whole or not at all, over both ways to
// an app.
func TestAnswerFrom(t *testing.T) {
	t.Parallel()
	most := random(1 << 20)
	tests := map[string]struct {
		answer http.HandlerFunc
		status int // 0: the answer of respond
		body   string
		state  string
	}{
		"success":           {spoken(200, `{"text":"done"}`), 200, `{"text":"done"}`, "delivered"},
		"created":           {spoken(201, "made"), 201, "made", "delivered"},
		"empty":             {spoken(200, ""), 200, "", "delivered"},
		"no content":        {spoken(204, ""), 204, "", "delivered"},
		"refused":           {spoken(404, "what?"), 404, "what?", "dead"},
		"redirect":          {spoken(302, ""), 302, "", "dead"},
		"as much as may be": {spoken(200, most), 200, most, "delivered"},
		"too much":          {spoken(200, most+"."), 0, "", "delivered"},
		"much too much":     {spoken(200, most+most), 0, "", "delivered"},
		"tried again":       {spoken(503, "no"), 0, "", "delivered"},
		"asked for less":    {spoken(429, "no"), 0, "", "delivered"},
		"half a body":       {cut("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"), 0, "", "delivered"},
		"half a chunk":      {cut("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n12345"), 0, "", "delivered"},
		"no answer":         {cut(""), 0, "", "delivered"},
	}
	app := newApp(t, func(w http.ResponseWriter, r *http.Request) {
		if attemptOf(r) == 1 {
			tests[idOf(r)].answer(w, r)
		}
	})
	other := newApp(t, nil)
	for _, way := range []string{app.address + quick, "{\n\t\t\tforward {\n\t\t\t\treverse_proxy " + app.address + "\n\t\t\t}\n\t\t\tretry 1h 50ms 200ms\n\t\t}"} {
		g := start(t, askingSite(way, other.address, "10s"))
		g.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		for id, test := range tests {
			resp, err := g.send(id)
			switch {
			case err != nil:
				t.Fatalf("%s: %v", id, err)
			case test.status == 0 && !isLater(resp):
				t.Errorf("%s was answered %d %.40q, want that of respond", id, resp.status, resp.body)
			case test.status != 0 && (resp.status != test.status || resp.body != test.body):
				t.Errorf("%s was answered %d %.40q, want %d %.40q", id, resp.status, resp.body, test.status, test.body)
			}
			if test.status == 0 {
				g.waitForState(id, "app", test.state)
				continue
			}
			for name, want := range map[string]string{"X-App": "yes", "Content-Type": "application/vnd.app+json", "Location": "/there", "Server": "app",
				"Set-Cookie": "", "Webhook-Gateway-Event-Id": "", "Keep-Alive": "", "X-App-Hop": "", "Proxy-Authenticate": "", "Connection": ""} {
				if got := resp.header.Get(name); got != want {
					t.Errorf("%s was answered with %s %q, want %q", id, name, got, want)
				}
			}
			if got := resp.header.Get("Content-Length"); test.status != 204 && got != strconv.Itoa(len(test.body)) {
				t.Errorf("%s was answered with Content-Length %s", id, got)
			}
			g.waitForState(id, "app", test.state)
			g.waitForState(id, "audit", "delivered")
		}
		for name, want := range map[string]float64{"app": 7, "unkept": 2, "retry": 5, "queued": 0, "deadline": 0, "gone": 0} {
			if got := g.metric(fmt.Sprintf(`caddy_webhook_gateway_answers_total{outcome="%s",source="insigner"}`, name)); got != want {
				t.Errorf("answers_total has %v of %s, want %v", got, name, want)
			}
		}
		// An event that the route does not take, and a copy.
		resp, err := g.send("x1")
		if err != nil || !isLater(resp) {
			t.Errorf("an event of another route was answered %+v, %v", resp, err)
		}
		g.waitForState("x1", "audit", "delivered")
		resp, err = g.send("success")
		if err != nil || !isLater(resp) || resp.header.Get("Webhook-Gateway-Duplicate") != "true" {
			t.Errorf("a copy was answered %+v, %v", resp, err)
		}
		if got := g.metric(`caddy_webhook_gateway_requests_total{outcome="accepted",source="insigner"}`); got != float64(len(tests)+1) {
			t.Errorf("%v requests were accepted, want %d", got, len(tests)+1)
		}
	}
}

// TestAnswerFromInTime has apps that are slow in each of the ways there are. The provider is
// answered at the deadline, and the one attempt goes on.
func TestAnswerFromInTime(t *testing.T) {
	t.Parallel()
	const deadline = time.Second
	late := make(chan struct{})
	var once sync.Once
	t.Cleanup(func() { once.Do(func() { close(late) }) })
	answers := map[string]http.HandlerFunc{
		"hangs": func(http.ResponseWriter, *http.Request) { <-late },
		"hangs in the middle": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat("x", 100_000))
			_ = http.NewResponseController(w).Flush()
			<-late
			_, _ = io.WriteString(w, "end")
		},
		"trickles": func(w http.ResponseWriter, _ *http.Request) {
			for {
				_, _ = io.WriteString(w, ".")
				_ = http.NewResponseController(w).Flush()
				select {
				case <-late:
					return
				case <-time.After(20 * time.Millisecond):
				}
			}
		},
	}
	app := newApp(t, func(w http.ResponseWriter, r *http.Request) { answers[idOf(r)](w, r) })
	g := start(t, askingSite(app.address, newApp(t, nil).address, deadline.String()))
	var sending sync.WaitGroup
	for id := range answers {
		sending.Go(func() {
			began := time.Now()
			resp, err := g.send(id)
			if took := time.Since(began); err != nil || !isLater(resp) || took < deadline-50*time.Millisecond || took > 2*deadline {
				t.Errorf("%s: answered %+v, %v after %v", id, resp, err, took)
			}
			if resp, err := g.send(id); err != nil || !isLater(resp) || resp.header.Get("Webhook-Gateway-Duplicate") != "true" {
				t.Errorf("%s: a copy was answered %+v, %v", id, resp, err)
			}
			if e, _ := g.event(id); e.Deliveries[0].State != "delivering" {
				t.Errorf("%s is %s after the deadline", id, e.Deliveries[0].State)
			}
		})
	}
	sending.Wait()
	once.Do(func() { close(late) })
	for id := range answers {
		if d := g.waitForState(id, "app", "delivered"); d.Attempts != 1 {
			t.Errorf("%s: %d attempts", id, d.Attempts)
		}
	}
	if n := len(app.deliveries()); n != len(answers) {
		t.Errorf("the app got %d requests for %d events", n, len(answers))
	}
	if got := g.metric(`caddy_webhook_gateway_answers_total{outcome="deadline",source="insigner"}`); got != float64(len(answers)) {
		t.Errorf("answers_total has %v of deadline", got)
	}
}

// TestAnswerFromQueued has routes that cannot try an event at once. The provider does not
// wait, and the event is delivered when its turn comes.
func TestAnswerFromQueued(t *testing.T) {
	t.Parallel()
	tests := map[string]string{ // lines of the route
		"paused":      "",
		"concurrency": "concurrency 1",
		"order":       "order_by `source`",
		"rate":        "rate 1/s",
	}
	for name, line := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			door := make(chan struct{})
			app := newApp(t, func(_ http.ResponseWriter, r *http.Request) {
				if idOf(r) == "first" && name != "rate" {
					<-door
				}
			})
			g := start(t, askingSite(app.address+" {\n"+line+"\n}", newApp(t, nil).address, "15s"))
			var first sync.WaitGroup
			if name == "paused" {
				g.exits(t, 0, "paused routes of insigner: app\n", "pause", "insigner", "app")
			} else {
				first.Go(func() {
					if resp, err := g.send("first"); err != nil || resp.status != 200 {
						t.Errorf("the first was answered %+v, %v", resp, err)
					}
				})
				app.waitFor(t, 1)
			}
			began := time.Now()
			resp, err := g.send("second")
			if took := time.Since(began); err != nil || !isLater(resp) || took > 5*time.Second {
				t.Errorf("answered %+v, %v after %v", resp, err, took)
			}
			close(door)
			first.Wait()
			if name == "paused" {
				g.exits(t, 0, "paused routes of insigner: nothing\n", "resume", "insigner", "app")
			}
			g.waitForState("second", "app", "delivered")
			if got := g.metric(`caddy_webhook_gateway_answers_total{outcome="queued",source="insigner"}`); got != 1 {
				t.Errorf("answers_total has %v of queued", got)
			}
		})
	}
}

// TestAnswerFromOverRestarts reloads, stops and kills the gateway while a provider waits.
func TestAnswerFromOverRestarts(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	door := make(chan struct{})
	app := newApp(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		open := door
		mu.Unlock()
		<-open
		fmt.Fprint(w, "answer to ", idOf(r))
	})
	other := newApp(t, nil)
	g := newGateway(t)
	g.write(queueIn, askingSite(app.address+quick, other.address, "10s"))
	g.run()
	type outcome struct {
		resp *response
		err  error
	}
	send := func(id string, had int) chan outcome {
		answered := make(chan outcome, 1)
		go func() {
			resp, err := g.send(id)
			answered <- outcome{resp, err}
		}()
		app.waitFor(t, had+1)
		return answered
	}
	want := func(got outcome, id string) {
		t.Helper()
		if got.err != nil || got.resp.body != "answer to "+id {
			t.Errorf("%s was answered %+v, %v", id, got.resp, got.err)
		}
	}

	answered := send("reload", 0)
	g.write(queueIn, askingSite(app.address+quick, other.address, "9s"))
	_, stderr, status := g.command("reload", "--force", "--config", g.config, "--address", g.admin)
	if status != 0 {
		t.Fatal(stderr)
	}
	close(door)
	want(<-answered, "reload")
	g.waitForState("reload", "app", "delivered")

	mu.Lock()
	door = make(chan struct{})
	mu.Unlock()
	answered = send("kill", 1)
	g.kill()
	if got := <-answered; got.err == nil {
		t.Errorf("the killed gateway answered %+v", got.resp)
	}
	close(door)
	g.run()
	g.waitForState("kill", "app", "delivered")

	mu.Lock()
	door = make(chan struct{})
	mu.Unlock()
	answered = send("stop", len(app.deliveries()))
	cmd, exited := g.cmd, g.exited
	_ = cmd.Process.Signal(syscall.SIGTERM)
	time.AfterFunc(200*time.Millisecond, func() { close(door) })
	want(<-answered, "stop")
	g.client.CloseIdleConnections()
	<-exited
	g.run()
	g.waitForState("stop", "app", "delivered")
}

// TestAnswerFromGone has a provider that goes away while it waits.
func TestAnswerFromGone(t *testing.T) {
	t.Parallel()
	door := make(chan struct{})
	app := newApp(t, func(http.ResponseWriter, *http.Request) { <-door })
	g := start(t, askingSite(app.address, newApp(t, nil).address, "1m"))
	header, body := insigner("gone")
	ctx, leave := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+g.https+"/hook", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	go func() {
		app.waitFor(t, 1)
		leave()
	}()
	if _, err := g.client.Do(req); err == nil {
		t.Error("answered")
	}
	eventually(t, "the gateway notices", func() bool {
		return g.metric(`caddy_webhook_gateway_answers_total{outcome="gone",source="insigner"}`) == 1
	})
	close(door)
	var d operate.DeliveryInfo
	if d = g.waitForState("gone", "app", "delivered"); d.Attempts != 1 || len(app.deliveries()) != 1 {
		t.Errorf("%d attempts, %d deliveries", d.Attempts, len(app.deliveries()))
	}
}
