package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// An app that answers with one of these is Ignisign's API.
var (
	valid     = says(`{"isValid":true}`)
	unknown   = says(`{"isValid":false,"notFound":true}`)
	consumed  = says(`{"isValid":false,"alreadyConsumed":true}`)
	noVerdict = says(`{"status":"ok"}`)
)

func says(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
}

// inTurn gives the first request the first answer, and so on; all that follow
// get the last one.
func inTurn(answers ...http.HandlerFunc) http.HandlerFunc {
	var n atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) {
		answers[min(int(n.Add(1)), len(answers))-1](w, r)
	}
}

// ignisignSource is a source under /name, with options instead of those that
// every one has.
func ignisignSource(name, upstream string, api *app, options string) string {
	if !strings.Contains(options, "secret") && !strings.Contains(options, "api_key") {
		options += "\napi_key key"
	}
	return fmt.Sprintf(`	webhook_gateway /%[1]s {
		source %[1]s
		provider ignisign {
			app_id app-1
			app_env TEST
			api_url http://%[2]s
			%[4]s
		}
		route app %[3]s
	}
`, name, api.address, upstream, options)
}

// sendToken posts an Ignisign event to a source and returns the status.
func (g *gateway) sendToken(source, token string) int {
	g.t.Helper()
	return g.sendPadded(source, token, 0)
}

// sendPadded posts an Ignisign event with that many bytes of content.
func (g *gateway) sendPadded(source, token string, size int) int {
	g.t.Helper()
	status, _ := g.post("/"+source, jsonHeader(), fmt.Appendf(nil, `{"appId":"app-1","appEnv":"TEST","topic":"SIGNATURE",`+
		`"action":"FINALIZED","msgNature":"SUCCESS","content":{"pad":"%0*d"},"verificationToken":%q}`, size, 0, token))
	return status
}

// stateOf returns the state of the event with a token, "" if there is none.
func (g *gateway) stateOf(token string) string {
	g.t.Helper()
	e, _ := g.event(token)
	return e.State
}

func (g *gateway) waitForEvent(token, state string) {
	g.t.Helper()
	eventually(g.t, "event "+token+" is "+state, func() bool { return g.stateOf(token) == state })
}

// from returns how many deliveries the app got from a source.
func (a *app) from(source string) (n int) {
	for _, d := range a.deliveries() {
		if d.header.Get("Webhook-Gateway-Source") == source {
			n++
		}
	}
	return n
}

// What the API does at the first call and at the second one, and what becomes
// of the event.
func TestHeld(t *testing.T) {
	t.Parallel()
	const gone = ""
	tests := []struct {
		name  string
		calls []http.HandlerFunc // nil: refuses connections first
		state string
	}{
		{"down-valid", []http.HandlerFunc{nil, valid}, "routed"},
		{"down-consumed", []http.HandlerFunc{nil, consumed}, gone},
		{"down-unknown", []http.HandlerFunc{nil, unknown}, gone},
		{"error-valid", []http.HandlerFunc{status(500), valid}, "routed"},
		{"error-consumed", []http.HandlerFunc{status(502), consumed}, "uncertain"},
		{"slow-valid", []http.HandlerFunc{after(4 * time.Second), valid}, "routed"},
		{"slow-consumed", []http.HandlerFunc{after(4 * time.Second), consumed}, "uncertain"},
		{"slow-unknown", []http.HandlerFunc{after(4 * time.Second), unknown}, gone},
		{"cut-consumed", []http.HandlerFunc{cut(""), consumed}, "uncertain"},
		{"key-valid", []http.HandlerFunc{status(401), valid}, "routed"},
		{"key-consumed", []http.HandlerFunc{status(401), consumed}, gone},
		{"unclear-valid", []http.HandlerFunc{noVerdict, valid}, "routed"},
		{"moved-valid", []http.HandlerFunc{withHeader("Location", "/", 307), valid}, "routed"},
	}
	target := newApp(t, nil)
	apis := make([]*app, len(tests))
	sites := "{$HTTPS} {\n"
	for i, test := range tests {
		apis[i] = unstartedApp(t, freeAddress(t), inTurn(test.calls...))
		if test.calls[0] != nil {
			apis[i].listen(t)
		}
		sites += ignisignSource(test.name, target.address, apis[i], "")
	}
	g := start(t, sites+"}\n")
	var senders sync.WaitGroup
	for _, test := range tests {
		senders.Go(func() {
			took := timed(func() {
				if status := g.sendToken(test.name, test.name); status != http.StatusOK {
					t.Errorf("%s is answered with %d, want 200", test.name, status)
				}
			})
			if took > 4500*time.Millisecond {
				t.Errorf("%s is answered after %v", test.name, took)
			}
		})
	}
	senders.Wait()
	for i, test := range tests {
		if state := g.stateOf(test.name); state != "held" {
			t.Errorf("%s is %s, want held", test.name, state)
		}
		if status := g.sendToken(test.name, test.name); status != http.StatusOK {
			t.Errorf("a copy of %s is answered with %d while it is held", test.name, status)
		}
		if test.calls[0] == nil {
			apis[i].setAnswer(test.calls[1])
			apis[i].listen(t)
		}
	}
	if n := len(target.deliveries()); n > 0 {
		t.Errorf("%d events were delivered while they were held", n)
	}
	for i, test := range tests {
		g.waitForEvent(test.name, test.state)
		calls := len(test.calls)
		if test.calls[0] == nil {
			calls-- // the first one did not arrive
		}
		if n := len(apis[i].deliveries()); n != calls {
			t.Errorf("%s: the API got %d calls, want %d", test.name, n, calls)
		}
		switch test.state {
		case "routed":
			eventually(t, test.name+" is delivered", func() bool { return target.from(test.name) == 1 })
		case gone: // a copy is as new, and refused
			if status := g.sendToken(test.name, test.name); status != http.StatusUnauthorized {
				t.Errorf("a copy of %s is answered with %d, want 401", test.name, status)
			}
		case "uncertain":
			if status := g.sendToken(test.name, test.name); status != http.StatusOK {
				t.Errorf("a copy of %s is answered with %d, want 200", test.name, status)
			}
		}
		if n := target.from(test.name); test.state != "routed" && n > 0 {
			t.Errorf("%s is %s and was delivered", test.name, test.state)
		}
	}
}

func TestCheckedAtOnce(t *testing.T) {
	t.Parallel()
	app, api := newApp(t, nil), newApp(t, inTurn(unknown, consumed, valid))
	g := start(t, "{$HTTPS} {\n"+ignisignSource("ignisign", app.address, api, "")+"}\n")
	for range 2 {
		if status := g.sendToken("ignisign", "a"); status != http.StatusUnauthorized {
			t.Errorf("answered with %d, want 401", status)
		}
		if events := g.events(nil); len(events) > 0 {
			t.Errorf("stored nevertheless: %v", events)
		}
	}
	for _, status := range crowd(20, func() int { return g.sendToken("ignisign", "a") }) {
		if status != http.StatusOK {
			t.Errorf("answered with %d, want 200", status)
		}
	}
	g.waitForState("a", "app", "delivered")
	if calls, deliveries := len(api.deliveries()), len(app.deliveries()); calls != 3 || deliveries != 1 {
		t.Errorf("%d calls and %d deliveries, want 3 and 1", calls, deliveries)
	}
	call := api.deliveries()[2]
	if want := `{"appEnv":"TEST","appId":"app-1","token":"a"}`; call.method != http.MethodPost || string(call.body) != want ||
		call.uri != "/v4/tokens/webhook-verification/checking-consumption" || call.header.Get("Authorization") != "Bearer key" {
		t.Errorf("the API was called with %s %s %v %s", call.method, call.uri, call.header, call.body)
	}
	foreign := map[string]string{
		"app":         `{"appId":"app-2","appEnv":"TEST","topic":"A","action":"B","msgNature":"C","verificationToken":"b"}`,
		"environment": `{"appId":"app-1","appEnv":"PRODUCTION","topic":"A","action":"B","msgNature":"C","verificationToken":"b"}`,
		"no topic":    `{"appId":"app-1","appEnv":"TEST","action":"B","msgNature":"C","verificationToken":"b"}`,
		"no token":    `{"appId":"app-1","appEnv":"TEST","topic":"A","action":"B","msgNature":"C"}`,
		"no JSON":     `verificationToken=b`,
	}
	for name, body := range foreign {
		if status, _ := g.post("/ignisign", jsonHeader(), []byte(body)); status != http.StatusUnauthorized {
			t.Errorf("%s: answered with %d, want 401", name, status)
		}
	}
	if calls, events := len(api.deliveries()), len(g.events(nil)); calls != 3 || events != 1 {
		t.Errorf("%d calls and %d events, want 3 and 1", calls, events)
	}
}

// The API has consumed the token when the process dies, and nobody knows what
// it said.
func TestKilledDuringTheCheck(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	release := make(chan struct{})
	api := newApp(t, inTurn(func(http.ResponseWriter, *http.Request) { <-release }, consumed))
	defer close(release)
	g := start(t, "{$HTTPS} {\n"+ignisignSource("ignisign", app.address, api, "")+"}\n")
	provider := g.outside()
	go func() {
		body := `{"appId":"app-1","appEnv":"TEST","topic":"A","action":"B","msgNature":"C","verificationToken":"a"}`
		_, _ = provider.do(http.MethodPost, "https://"+provider.https+"/ignisign", jsonHeader(), bytes.NewReader([]byte(body)))
	}()
	api.waitFor(t, 1)
	g.kill()
	g.run()
	if state := g.stateOf("a"); state != "held" {
		t.Errorf("after the restart the event is %q, want held", state)
	}
	g.waitForEvent("a", "uncertain")
	if status := g.sendToken("ignisign", "a"); status != http.StatusOK {
		t.Errorf("a copy is answered with %d, want 200", status)
	}
	if calls, deliveries := len(api.deliveries()), len(app.deliveries()); calls != 2 || deliveries != 0 {
		t.Errorf("%d calls and %d deliveries, want 2 and none", calls, deliveries)
	}
}

// bearer returns what a call authorizes with.
func bearer(r *http.Request) string {
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
}

func TestIgnisignKeys(t *testing.T) {
	t.Parallel()
	target := newApp(t, nil)
	rotated := newApp(t, func(w http.ResponseWriter, r *http.Request) {
		if bearer(r) != "new" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		valid(w, r)
	})
	var issued atomic.Int64 // JWTs; only the latest is accepted
	older := newApp(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/v4/auth/app-api":
			fmt.Fprintf(w, `{"jwtToken":"jwt-%d"}`, issued.Add(1))
		case bearer(r) != fmt.Sprintf("jwt-%d", issued.Load()):
			w.WriteHeader(http.StatusUnauthorized)
		default:
			valid(w, r)
		}
	})
	g := start(t, "{$HTTPS} {\n"+ignisignSource("rotated", target.address, rotated, "api_key old new")+
		ignisignSource("older", target.address, older, "secret app-secret")+"}\n")
	send := func(source, token string, calls ...string) {
		t.Helper()
		api := map[string]*app{"rotated": rotated, "older": older}[source]
		before := len(api.deliveries())
		if status := g.sendToken(source, token); status != http.StatusOK {
			t.Errorf("%s: answered with %d, want 200", token, status)
		}
		g.waitForState(token, "app", "delivered")
		var made []string
		for _, call := range api.deliveries()[before:] {
			made = append(made, call.uri[strings.LastIndex(call.uri, "/")+1:]+" "+strings.TrimPrefix(call.header.Get("Authorization"), "Bearer "))
		}
		if fmt.Sprint(made) != fmt.Sprint(calls) {
			t.Errorf("%s led to the calls %q, want %q", token, made, calls)
		}
	}
	send("rotated", "a", "checking-consumption old", "checking-consumption new")
	send("older", "b", "app-api ", "checking-consumption jwt-1")
	send("older", "c", "checking-consumption jwt-1")
	issued.Add(1) // the JWT has expired
	send("older", "d", "checking-consumption jwt-1", "app-api ", "checking-consumption jwt-3")
	if body := string(older.deliveries()[0].body); body != `{"appEnv":"TEST","appId":"app-1","secret":"app-secret"}` {
		t.Errorf("the secret was exchanged with %s", body)
	}
}

// fillHeld posts events of 8 KiB until one is refused, and returns how many were taken.
func (g *gateway) fillHeld(source, name string) (taken int) {
	var next atomic.Int64
	send := func() (taken int) {
		for {
			if g.sendPadded(source, fmt.Sprintf("%s-%d", name, next.Add(1)), 8<<10) != http.StatusOK {
				return taken
			}
			taken++
		}
	}
	for _, n := range crowd(16, send) {
		taken += n
	}
	return taken
}

// fewPlaces are options with which a source has 8 MiB for small held events.
var fewPlaces = strings.Replace(queueIn, "path", "max_size 64MiB\n\tpath", 1)

// Nothing vouches for held events, so an address may have so many of them only.
func TestHeldIsBounded(t *testing.T) {
	t.Parallel()
	app, good := newApp(t, nil), newApp(t, valid)
	down := unstartedApp(t, freeAddress(t), nil)
	g := newGateway(t)
	g.write(fewPlaces, "{$HTTPS} {\n"+ignisignSource("down", app.address, down, "")+ignisignSource("good", app.address, good, "")+"}\n")
	g.run()
	taken := g.fillHeld("down", "token")
	held := int(g.metric(`caddy_webhook_gateway_queue_events{source="down",state="held"}`))
	if taken < 400 || taken > 600 || held != taken {
		t.Errorf("%d events were taken and %d are held, want about 500", taken, held)
	}
	if status := g.sendPadded("down", "one more", 8<<10); status != http.StatusServiceUnavailable {
		t.Errorf("after %d events one more is answered with %d, want 503", taken, status)
	}
	if status := g.sendPadded("down", "token-1", 8<<10); status != http.StatusOK {
		t.Errorf("a copy of a held event is answered with %d, want 200", status)
	}
	if status := g.sendToken("good", "other"); status != http.StatusOK {
		t.Errorf("another source is answered with %d, want 200", status)
	}
}

// judging vouches for tokens that begin with good-, and answers about others otherwise.
func judging(others http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if body, _ := io.ReadAll(r.Body); bytes.Contains(body, []byte(`"good-`)) {
			valid(w, r)
			return
		}
		others(w, r)
	}
}

// A stranger behind the same proxy as everybody else posts a lot, while the API asks for
// fewer calls, or is slow. Genuine events are taken, and delivered when the API is well.
func TestHeldBehindOneAddress(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"429": withHeader("Retry-After", "2", http.StatusTooManyRequests), "slow": after(4 * time.Second),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app, api := newApp(t, nil), newApp(t, answer)
			g := start(t, "{$HTTPS} {\n"+ignisignSource("ignisign", app.address, api, "")+"}\n")
			var next atomic.Int64
			crowd(16, func() (none struct{}) {
				for n := next.Add(1); n <= 1100; n = next.Add(1) {
					if status := g.sendToken("ignisign", fmt.Sprintf("junk-%d", n)); status != http.StatusOK {
						t.Errorf("a stranger's event is answered with %d, want 200", status)
					}
				}
				return
			})
			for n := range 3 {
				if status := g.sendToken("ignisign", fmt.Sprintf("good-%d", n)); status != http.StatusOK {
					t.Errorf("a genuine event is answered with %d, want 200", status)
				}
			}
			if calls := len(api.deliveries()); calls > 100 {
				t.Errorf("the API got %d calls", calls)
			}
			api.setAnswer(judging(unknown))
			app.waitFor(t, 3)
			eventually(t, "nothing is held any more", func() bool { return len(g.events(url.Values{"state": {"held"}})) == 0 })
		})
	}
}

// TestHoldingWarns loads sources to which anybody can post what is held.
func TestHoldingWarns(t *testing.T) {
	t.Parallel()
	site := func(name, inside, beside string) string {
		return fmt.Sprintf("webhook_gateway /%[1]s {\nsource %[1]s\nprovider ignisign {\napp_id a\napp_env TEST\napi_key k\n%[2]s\n}\n%[3]s\nroute app 127.0.0.1:1\n}\n", name, inside, beside)
	}
	g := start(t, "{$HTTPS} {\n"+site("open", "", "")+site("token", "token header X-Guard a-token-for-the-source", "")+
		site("addresses", "", "allow_ips 192.0.2.0/24")+site("ranges", "", "allow_ips_from static 192.0.2.0/24")+"respond 404\n}\n")
	for name, want := range map[string]bool{"open": true, "token": false, "addresses": false, "ranges": false} {
		warned := false
		for line := range strings.Lines(g.log.String()) {
			warned = warned || strings.Contains(line, "anybody can post") && strings.Contains(line, fmt.Sprintf(`"source":%q`, name))
		}
		if warned != want {
			t.Errorf("source %s: warned %v, want %v", name, warned, want)
		}
	}
}
