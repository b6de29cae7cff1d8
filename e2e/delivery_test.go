package e2e

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/operate"
)

// idOf returns the delivery ID of an inSigner event that an app gets.
func idOf(r *http.Request) string { return r.Header.Get("X-Insigner-Deliveryid") }

// attemptOf returns the number of the attempt.
func attemptOf(r *http.Request) int {
	n, _ := strconv.Atoi(r.Header.Get("Webhook-Gateway-Attempt"))
	return n
}

// withHeader answers with a header.
func withHeader(name, value string, code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(name, value)
		w.WriteHeader(code)
	}
}

// cut takes the connection over, writes something to it and closes it.
func cut(written string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
			_, _ = io.WriteString(conn, written)
			conn.Close()
		}
	}
}

// after waits before it answers with 200.
func after(pause time.Duration) http.HandlerFunc {
	return func(http.ResponseWriter, *http.Request) { time.Sleep(pause) }
}

// Each of these answers leads to one more attempt, after the pause that was
// asked for.
func TestTriesAgain(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		answer http.HandlerFunc
		pause  time.Duration
	}{
		"500":                  {status(500), 0},
		"408":                  {status(408), 0},
		"425":                  {status(425), 0},
		"503 retry later":      {withHeader("Retry-After", "1", 503), time.Second},
		"429 retry later":      {withHeader("Retry-After", "1", 429), time.Second},
		"too slow":             {after(1500 * time.Millisecond), 0},
		"no answer":            {cut(""), 0},
		"half a header":        {cut("HTTP/1.1 200 OK\r\nContent-Le"), 0},
		"half a body":          {cut("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"), 0},
		"half a chunk":         {cut("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n12345"), 0},
		"no HTTP":              {cut("SSH-2.0-OpenSSH_9.6\r\n"), 0},
		"a switch of protocol": {cut("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"), 0},
	}
	var mu sync.Mutex
	came := make(map[string]time.Time)
	pauses := make(map[string]time.Duration)
	app := newApp(t, func(w http.ResponseWriter, r *http.Request) {
		id := idOf(r)
		mu.Lock()
		pauses[id] = time.Since(came[id])
		came[id] = time.Now()
		mu.Unlock()
		if attemptOf(r) == 1 {
			tests[id].answer(w, r)
		}
	})
	g := start(t, insignerSite(app.address+` {
			retry 1h 50ms 200ms
			timeout 1s
		}`, ""))
	for id := range tests {
		g.mustSend(id)
	}
	for id, test := range tests {
		d := g.waitForState(id, "app", "delivered")
		if n := app.counts()[id]; d.Attempts != 2 || n != 2 {
			t.Errorf("%s: %d attempts of which %d reached the app, want 2", id, d.Attempts, n)
		}
		mu.Lock()
		if pauses[id] < test.pause {
			t.Errorf("%s: tried again after %v, want %v", id, pauses[id], test.pause)
		}
		mu.Unlock()
	}
}

func TestGivesUp(t *testing.T) {
	t.Parallel()
	app := newApp(t, func(w http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(strings.TrimLeft(idOf(r), "abc"))
		w.WriteHeader(code)
	})
	g := start(t, fmt.Sprintf(`{$HTTPS} {
	webhook_gateway /hook {
		provider insigner %s
		route short `+"`id startsWith \"a\"`"+` %[2]s {
			retry 500ms 10ms 50ms
		}
		route strict `+"`id startsWith \"b\"`"+` %[2]s {
			retry 500ms 10ms 50ms
			give_up_on 5xx 204
		}
		route lenient `+"`id startsWith \"c\"`"+` %[2]s {
			retry 500ms 10ms 50ms
			retry_on 404
		}
	}
}
`, insignerSecret, app.address))
	const again = "gave up after 500ms: "
	tests := []struct{ id, route, reason string }{
		{"a400", "short", "400 Bad Request"},
		{"a302", "short", "302 Found"},
		{"a410", "short", "410 Gone"},
		{"a500", "short", again + "500 Internal Server Error"},
		{"b500", "strict", "500 Internal Server Error"},
		{"b204", "strict", "204 No Content"},
		{"b404", "strict", again + "404 Not Found"},
		{"c404", "lenient", again + "404 Not Found"},
		{"c500", "lenient", "500 Internal Server Error"},
	}
	for _, test := range tests {
		g.mustSend(test.id)
	}
	for _, test := range tests {
		d := g.waitForState(test.id, test.route, "dead")
		many := strings.HasPrefix(test.reason, again)
		if d.Reason != test.reason || many != (d.Attempts > 1) || d.Ended == nil {
			t.Errorf("%s ended after %d attempts with %q, want %q", test.id, d.Attempts, d.Reason, test.reason)
		}
	}
	app.setAnswer(nil)
	g.mustSend("a400") // what a provider's button to deliver again does
	if d := g.waitForState("a400", "short", "delivered"); d.Attempts != 1 {
		t.Errorf("revived, it took %d attempts", d.Attempts)
	}
}

// Where nothing answers there is no status, so that none can be given up on.
func TestNoAnswerIsNeverGivenUpOn(t *testing.T) {
	t.Parallel()
	nobody, silent := unstartedApp(t, freeAddress(t), nil), newApp(t, after(500*time.Millisecond))
	const strict = " {\nretry 1h 50ms 200ms\ntimeout 200ms\ngive_up_on 4xx 5xx\n}"
	g := start(t, insignerSite("nowhere.invalid:80"+strict, fmt.Sprintf("route refused %s\nroute silent %s\nroute cut %s",
		nobody.address+strict, silent.address+strict, newApp(t, cut("")).address+strict)))
	g.mustSend("a")
	for route, reason := range map[string]string{
		"app": "nowhere.invalid", "refused": "connection refused", "silent": "no answer within 200ms", "cut": "EOF",
	} {
		eventually(t, route+" is tried again", func() bool {
			e, _ := g.event("a")
			i := slices.IndexFunc(e.Deliveries, func(d operate.DeliveryInfo) bool { return d.Route == route })
			d := e.Deliveries[i]
			return d.Attempts > 1 && d.State != "dead" && strings.Contains(d.Reason, reason)
		})
	}
}

func TestForward(t *testing.T) {
	t.Parallel()
	one, two := newApp(t, nil), newApp(t, nil)
	g := start(t, fmt.Sprintf(`{$HTTPS} {
	webhook_gateway /hook {
		provider insigner %s
		route app {
			forward {
				rewrite * /inbox{uri}
				request_header X-Added yes
				request_header -X-Insigner-Timestamp
				reverse_proxy %s %s {
					lb_policy round_robin
					header_up X-Also yes
				}
			}
		}
		route nowhere {
			forward {
				request_header X-Added yes
			}
			retry 1h 50ms 200ms
		}
		route itself {
			forward {
				respond 202
			}
		}
	}
}
`, insignerSecret, one.address, two.address))
	const n = 8
	g.mustSend(numbers(n)...)
	for _, id := range numbers(n) {
		g.waitForState(id, "app", "delivered")
		g.waitForState(id, "itself", "delivered")
	}
	if a, b := len(one.deliveries()), len(two.deliveries()); a+b != n || a != b {
		t.Errorf("two upstreams in turn got %d and %d of %d deliveries", a, b, n)
	}
	for _, d := range append(one.deliveries(), two.deliveries()...) {
		if d.uri != "/inbox/hook" || d.header.Get("X-Added") != "yes" || d.header.Get("X-Also") != "yes" || d.header["X-Insigner-Timestamp"] != nil {
			t.Errorf("the app got %s with %v", d.uri, d.header)
		}
		if _, body := insigner(d.header.Get("X-Insigner-Deliveryid")); string(body) != string(d.body) || d.length != int64(len(body)) {
			t.Errorf("the app got %q, declared as %d bytes", d.body, d.length)
		}
	}
	eventually(t, "the route that goes nowhere is tried again", func() bool {
		e, _ := g.event("0")
		return e.Deliveries[1].Attempts > 1 && e.Deliveries[1].Reason == "no handler of the route answered"
	})
}

func TestOneRouteIsDead(t *testing.T) {
	t.Parallel()
	first, last := newApp(t, nil), newApp(t, nil)
	dead := unstartedApp(t, freeAddress(t), nil)
	g := start(t, insignerSite(first.address, fmt.Sprintf("route dead %s\nroute last %s", dead.address+quick, last.address)))
	ids := numbers(20)
	g.mustSend(ids...)
	first.waitForAll(t, ids)
	last.waitForAll(t, ids)
	g.mustSend(ids...)
	dead.listen(t)
	dead.waitForAll(t, ids)
	g.settle("insigner", "dead")
	for name, app := range map[string]*app{"first": first, "dead": dead, "last": last} {
		if n := len(app.deliveries()); n != len(ids) {
			t.Errorf("%s got %d deliveries of %d events", name, n, len(ids))
		}
	}
}

// A route that is slow has its own attempts and holds up nobody else.
func TestSlowRoute(t *testing.T) {
	t.Parallel()
	var running, most atomic.Int64
	release := make(chan struct{})
	slow := newApp(t, func(http.ResponseWriter, *http.Request) {
		most.Store(max(most.Load(), running.Add(1)))
		defer running.Add(-1)
		<-release
	})
	fast := newApp(t, nil)
	g := start(t, insignerSite(fast.address, fmt.Sprintf("route slow %s {\nconcurrency 3\n}", slow.address)))
	ids := numbers(50)
	g.mustSend(ids...)
	fast.waitForAll(t, ids)
	slow.waitFor(t, 3)
	if e, _ := g.event("0"); e.Deliveries[1].State != "delivering" {
		t.Errorf("the first delivery is %s while the app has it", e.Deliveries[1].State)
	}
	close(release)
	slow.waitForAll(t, ids)
	if n := most.Load(); n != 3 {
		t.Errorf("%d attempts ran at once, want 3", n)
	}
}

func TestShutdownWaitsForTheApp(t *testing.T) {
	t.Parallel()
	app := newApp(t, after(time.Second))
	g := start(t, insignerSite(app.address, ""))
	g.mustSend("a")
	app.waitFor(t, 1)
	g.stop()
	g.run()
	if d := g.waitForState("a", "app", "delivered"); d.Attempts != 1 || len(app.deliveries()) != 1 {
		t.Errorf("%d attempts, and %d deliveries reached the app; want 1", d.Attempts, len(app.deliveries()))
	}
}

// An attempt that shutdown has to cut short is made again and does not count.
func TestShutdownInterruptsTheApp(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	app := newApp(t, func(http.ResponseWriter, *http.Request) { <-release })
	g := start(t, insignerSite(app.address, ""))
	g.mustSend("a")
	app.waitFor(t, 1)
	if took := timed(g.stop); took > 15*time.Second {
		t.Errorf("shutting down took %v", took)
	}
	close(release)
	g.run()
	d := g.waitForState("a", "app", "delivered")
	got := app.waitFor(t, 2)
	if n := got[1].header.Get("Webhook-Gateway-Attempt"); d.Attempts != 1 || n != "1" || len(got) != 2 {
		t.Errorf("%d attempts counted after %d deliveries, the last one as attempt %s; want 1 after 2", d.Attempts, len(got), n)
	}
}
