package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// measuring is queueIn for a gateway that counts requests in flight. It ends
// the block that it stands in and begins another.
const measuring = queueIn + `
}
metrics {
`

// startVerifyOnly runs a gateway whose source has no route: the site's next
// handler answers.
func startVerifyOnly(t *testing.T, app *app) *gateway {
	t.Helper()
	g := newGateway(t)
	g.env = append(g.env, "TOKEN=token-one-d0a3")
	g.write(measuring, fmt.Sprintf(`{$HTTPS} {
	webhook_gateway /hook* {
		provider insigner %s {
			token query token {env.TOKEN}
		}
		respond 202 "seen"
	}
	reverse_proxy %s
}
`, insignerSecret, app.address))
	g.run()
	return g
}

const verifyOnlyPath = "/hook/a%2Fb?x=%7e&token=token-one-d0a3"

// created answers as an app does that makes something.
func created(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("X-App", "yes")
	w.WriteHeader(http.StatusCreated)
	fmt.Fprint(w, "made")
}

func TestVerifyOnly(t *testing.T) {
	t.Parallel()
	app := newApp(t, created)
	g := startVerifyOnly(t, app)
	header, body := insigner("d1")
	header.Set("Webhook-Gateway-Attempt", "7")
	resp, err := g.do("POST", "https://"+g.https+verifyOnlyPath, header, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if resp.status != http.StatusCreated || resp.body != "made" || resp.header.Get("X-App") != "yes" {
		t.Errorf("answer %+v, want what the app said", resp)
	}
	got := app.waitFor(t, 1)[0]
	if !bytes.Equal(got.body, body) || got.length != int64(len(body)) || got.uri != "/hook/a%2Fb?x=%7e" || got.method != "POST" {
		t.Errorf("app got %s %s with %q (length %d)", got.method, got.uri, got.body, got.length)
	}
	for name, want := range map[string]string{"Source": "insigner", "Event-Type": "document.completed", "Event-Id": "", "Attempt": ""} {
		if value := got.header.Get("Webhook-Gateway-" + name); value != want {
			t.Errorf("app got Webhook-Gateway-%s %q, want %q", name, value, want)
		}
	}
	for name, values := range header {
		if name != "Webhook-Gateway-Attempt" && !slices.Equal(got.header[name], values) {
			t.Errorf("app got %s %q, want %q", name, got.header[name], values)
		}
	}
	resp, err = g.do("POST", "https://"+g.https+verifyOnlyPath, header, bytes.NewReader(body))
	if err != nil || resp.status != http.StatusAccepted || resp.body != "seen" {
		t.Errorf("a duplicate was answered %+v, %v, want 202 seen", resp, err)
	} else if resp.header.Get("Webhook-Gateway-Duplicate") != "true" || resp.header.Get("Webhook-Gateway-Event-Id") != "" {
		t.Errorf("a duplicate of what is not stored was answered with %v", resp.header)
	}
	if status, answer := g.post(verifyOnlyPath, nil, body); status != 401 || answer != "Unauthorized\n" {
		t.Errorf("a forgery was answered %d %q, want 401", status, answer)
	}
	if n := len(app.deliveries()); n != 1 {
		t.Errorf("the app got %d requests, want 1", n)
	}
	if events := g.events(nil); len(events) != 0 {
		t.Errorf("events were stored: %+v", events)
	}
}

// TestVerifyOnlyReleases has the app fail, after which the provider's retry
// must reach it.
func TestVerifyOnlyReleases(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := startVerifyOnly(t, app)
	header, body := insigner("d1")
	failures := []struct {
		answer http.HandlerFunc
		want   int // 0: the connection ends
	}{
		{status(http.StatusInternalServerError), 500},
		{status(http.StatusNotFound), 404},
		{status(http.StatusFound), 302},
		{func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 502},
		{func(w http.ResponseWriter, _ *http.Request) { // breaks off in the middle
			w.Header().Set("Content-Length", "100")
			w.WriteHeader(http.StatusBadGateway)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, 0},
	}
	g.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for i, failure := range failures {
		app.setAnswer(failure.answer)
		resp, err := g.do("POST", "https://"+g.https+verifyOnlyPath, header, bytes.NewReader(body))
		if (err != nil) != (failure.want == 0) || err == nil && resp.status != failure.want {
			t.Errorf("answer %+v, %v, want status %d", resp, err, failure.want)
		}
		if n := len(app.deliveries()); n != i+1 {
			t.Fatalf("after %d tries the app got %d", i+1, n)
		}
	}
	if strings.Contains(g.log.String(), "token-one-d0a3") {
		t.Error("the token is in the log")
	}
	app.setAnswer(nil)
	for _, want := range []int{200, 202} {
		if status, _ := g.post(verifyOnlyPath, header, body); status != want {
			t.Errorf("answer %d, want %d", status, want)
		}
	}
}

// TestVerifyOnlyCopiesWait sends copies while the app is still at the first.
func TestVerifyOnlyCopiesWait(t *testing.T) {
	t.Parallel()
	const copies = 10
	answers := make(chan int)
	app := newApp(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(max(<-answers, http.StatusOK)) })
	t.Cleanup(func() { close(answers) }) // before the app is closed
	g := startVerifyOnly(t, app)
	header, body := insigner("d1")
	statuses := make(chan []int)
	go func() {
		statuses <- crowd(copies, func() int { return g.try(verifyOnlyPath, header, body) })
	}()
	waiting := func(n int) {
		t.Helper()
		eventually(t, fmt.Sprintf("%d requests are in flight", n), func() bool {
			return g.metric(`caddy_http_requests_in_flight{handler="subroute",server="srv0"}`) == float64(n)
		})
	}
	waiting(copies)
	if n := len(app.waitFor(t, 1)); n != 1 {
		t.Fatalf("the app got %d copies at once, want 1", n)
	}
	answers <- http.StatusInternalServerError // the next copy is the first one now
	app.waitFor(t, 2)
	waiting(copies - 1)
	answers <- http.StatusOK
	counts := make(map[int]int)
	for _, status := range <-statuses {
		counts[status]++
	}
	if counts[500] != 1 || counts[200] != 1 || counts[202] != copies-2 {
		t.Errorf("the copies were answered %v, want one 500, one 200, and 202 for the rest", counts)
	}
	if n := len(app.deliveries()); n != 2 {
		t.Errorf("the app got %d requests, want 2", n)
	}
}

// TestVerifyOnlyKeepsItsHeaders has a sender take the gateway's own headers away, and
// put them behind the body.
func TestVerifyOnlyKeepsItsHeaders(t *testing.T) {
	t.Parallel()
	trailers := make(chan http.Header, 2)
	app := newApp(t, func(_ http.ResponseWriter, r *http.Request) { trailers <- r.Trailer })
	g := start(t, fmt.Sprintf("{$HTTPS} {\nwebhook_gateway /hook {\nprovider fusesign s1\ndedup off\n}\nreverse_proxy %s\n}\n", app.address))
	for i, rest := range []string{
		"Transfer-Encoding: chunked\r\nTrailer: Webhook-Gateway-Source\r\nConnection: close\r\n\r\n7\r\n{\"a\":1}\r\n0\r\nWebhook-Gateway-Source: evil\r\n\r\n",
		"Content-Length: 7\r\nConnection: close, Webhook-Gateway-Source, webhook-gateway-received-at\r\n\r\n{\"a\":1}",
	} {
		resp := g.raw(false, "POST /hook HTTP/1.1\r\nHost: "+g.https+"\r\nFuse-Signature: s1\r\n"+rest)
		if resp.StatusCode != 200 {
			t.Fatalf("request %d is answered %d", i, resp.StatusCode)
		}
		got := app.waitFor(t, i+1)[i]
		if source := got.header.Values("Webhook-Gateway-Source"); !slices.Equal(source, []string{"fusesign"}) || got.header.Get("Webhook-Gateway-Received-At") == "" {
			t.Errorf("request %d: the app got %v", i, got.header)
		}
		if trailer := <-trailers; len(trailer) > 0 || got.length != 7 || string(got.body) != `{"a":1}` {
			t.Errorf("request %d: the app got %d bytes, %s, with the trailers %v", i, got.length, got.body, trailer)
		}
	}
}
