package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
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
	status, _ := g.post("/"+source, jsonHeader(), fmt.Appendf(nil, `{"appId":"app-1","appEnv":"TEST","topic":"SIGNATURE",`+
		`"action":"FINALIZED","msgNature":"SUCCESS","content":{},"verificationToken":%q}`, token))
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

// Nothing vouches for held events, so a source may have so many of them only.
func TestHeldIsBounded(t *testing.T) {
	t.Parallel()
	app, good := newApp(t, nil), newApp(t, valid)
	down := unstartedApp(t, freeAddress(t), nil)
	g := start(t, "{$HTTPS} {\n"+ignisignSource("down", app.address, down, "")+ignisignSource("good", app.address, good, "")+"}\n")
	var next atomic.Int64
	send := func() (taken int) {
		for {
			if g.sendToken("down", fmt.Sprintf("token-%d", next.Add(1))) != http.StatusOK {
				return taken
			}
			taken++
		}
	}
	total := 0
	for _, taken := range crowd(16, send) {
		total += taken
	}
	held := int(g.metric(`caddy_webhook_gateway_queue_events{source="down",state="held"}`))
	if total > 1000 || total < 980 || held != total { // those that come at the same time count already
		t.Errorf("%d events were taken and %d are held, want about 1000", total, held)
	}
	for total < 1000 && g.sendToken("down", fmt.Sprintf("token-%d", next.Add(1))) == http.StatusOK {
		total++
	}
	if status := g.sendToken("down", "one more"); status != http.StatusServiceUnavailable || total != 1000 {
		t.Errorf("after %d events one more is answered with %d, want 503 after 1000", total, status)
	}
	if status := g.sendToken("down", "token-1"); status != http.StatusOK {
		t.Errorf("a copy of a held event is answered with %d, want 200", status)
	}
	if status := g.sendToken("good", "other"); status != http.StatusOK {
		t.Errorf("another source is answered with %d, want 200", status)
	}
}
