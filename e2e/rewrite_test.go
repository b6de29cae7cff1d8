package e2e

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/operate"
)

// githubSite is a site with a GitHub source at /hook; the lines are its routes.
func githubSite(lines string) string {
	return "{$HTTPS} {\n webhook_gateway /hook {\n provider github " + theirSecret + "\n" + lines + "\n}\n}\n"
}

// mustPost posts a webhook of GitHub that must be taken.
func (g *gateway) mustPost(id, event string, body []byte, more http.Header) {
	g.t.Helper()
	header := github(theirSecret, id, event, body)
	for name, values := range more {
		header[name] = values
	}
	if status, answer := g.post("/hook", header, body); status != http.StatusOK {
		g.t.Fatalf("%s: status %d, %s", id, status, answer)
	}
}

func zipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(text))
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// What the app gets is another body with headers that fit, signed as it is, on both
// ways and at each attempt. What is stored is the webhook.
func TestRewriteBody(t *testing.T) {
	t.Parallel()
	names := []string{"to", "forward", "text", "typed", "plain"}
	apps := make(map[string]*app)
	for _, name := range names {
		apps[name] = newApp(t, nil)
	}
	const message = "rewrite_body `{\"text\": event + \": \" + body.msg, \"n\": [1, body.id]}`\n"
	site := githubSite("route to " + apps["to"].address + " {\n" + message + "sign provider " + ourSecret + "\n}\n" +
		"route forward {\nforward {\nreverse_proxy " + apps["forward"].address + "\n}\n" + message + "sign standard " + ourKey + "\n}\n" +
		"route text " + apps["text"].address + " {\nrewrite_body `event + \" \" + body.msg`\n}\n" +
		"route typed " + apps["typed"].address + " {\nrewrite_body `\"type=\" + event` application/x-www-form-urlencoded\n}\n" +
		"route plain " + apps["plain"].address)
	g := start(t, site)
	const text = `{"msg":"x \"q\" <é>","id":9007199254740993}`
	body := zipped(t, text)
	g.mustPost("g-1", "push", body, http.Header{
		"Content-Encoding": {"gzip"}, "Content-Digest": {"sha-256=:AA==:"}, "Repr-Digest": {"sha-256=:AA==:"}, "Digest": {"SHA-256=AA=="},
		"Content-Md5": {"AA=="}, "Etag": {`"a"`}, "X-Other": {"kept"},
	})
	const made = `{"n":[1,9007199254740993],"text":"push: x \"q\" <é>"}`
	want := map[string][2]string{
		"to": {made, "application/json"}, "forward": {made, "application/json"},
		"text": {`push x "q" <é>`, "text/plain; charset=utf-8"}, "typed": {"type=push", "application/x-www-form-urlencoded"},
		"plain": {string(body), "application/json"},
	}
	check := func(n int) {
		t.Helper()
		for _, name := range names {
			got := apps[name].waitFor(t, n)[n-1]
			if string(got.body) != want[name][0] || got.header.Get("Content-Type") != want[name][1] || got.chunked ||
				got.length != int64(len(got.body)) || got.header.Get("Content-Length") != strconv.Itoa(len(got.body)) || got.header.Get("X-Other") != "kept" {
				t.Errorf("%s got %q, %d bytes with %v", name, got.body, got.length, got.header)
			}
			for _, header := range []string{"Content-Encoding", "Content-Digest", "Repr-Digest", "Digest", "Content-Md5", "Etag"} {
				if has := got.header.Get(header) != ""; has != (name == "plain") {
					t.Errorf("%s got %s: %v", name, header, got.header[header])
				}
			}
		}
		for name, verify := range map[string]verifier{"to": byGitHub(ourSecret), "forward": byStandard(ourKey)} {
			if got := apps[name].deliveries()[n-1]; verify(got.header, got.body, time.Now()) != nil {
				t.Errorf("%s got %q, which is not signed: %v", name, got.body, got.header)
			}
		}
	}
	check(1)
	e, _ := g.event("g-1")
	if raw := string(g.adminCall(http.MethodGet, "/webhook_gateway/events/"+e.ID+"/raw")); !strings.HasSuffix(raw, "\r\n\r\n"+string(body)) || !strings.Contains(raw, "Content-Encoding: gzip") {
		t.Errorf("stored is %q", raw)
	}
	g.kill()
	g.run()
	for _, name := range names {
		g.must(t, "replay", "--route", name, e.ID)
	}
	check(2)
}

// A digest that the provider's scheme covers is made anew.
func TestRewriteBodySignsItsDigest(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	secret := base64.StdEncoding.EncodeToString([]byte("a secret of thirty-two bytes, ok"))
	g := start(t, "{$HTTPS} {\n webhook_gateway /hook {\n provider rfc9421 "+secret+" {\nalgorithm hmac-sha256\n}\nroute app "+app.address+" {\nrewrite_body `{\"type\": event}`\nsign provider\n}\n}\n}\n")
	g.must(t, "send", "rfc9421")
	got := app.waitFor(t, 1)[0]
	sum := sha256.Sum256(got.body)
	if want := "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"; !strings.HasPrefix(string(got.body), `{"type":`) || got.header.Get("Content-Digest") != want {
		t.Errorf("the app got %s with the digest %s, want %s", got.body, got.header.Get("Content-Digest"), want)
	}
}

// An expression that fails makes a dead letter at once, which says why. The event is
// kept for an expression that works.
func TestRewriteBodyFails(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	site := func(expression string) string {
		return githubSite("route app " + app.address + " {\nrewrite_body `" + expression + "`\n}\n" +
			"route heavy " + app.address + " {\nrewrite_body `map(body.list, map(body.list, body.list))`\n}")
	}
	g := start(t, site(`{"name": body.user.name}`))
	g.mustPost("g-1", "push", []byte(`{"user":null,"list":[`+strings.Repeat("1,", 2000)+`1]}`), nil)
	for route, reason := range map[string]string{
		"app":   "rewrite_body: body.user is null, so it has no name (column 20 of the expression)",
		"heavy": "rewrite_body: the budget of work for the rules of one event is used up",
	} {
		if d := g.waitForState("g-1", route, "dead"); !strings.HasPrefix(d.Reason, reason) || d.Attempts != 1 || d.Status != 0 {
			t.Errorf("%s: %+v; want one attempt and the reason %s", route, d, reason)
		}
	}
	if n := len(app.deliveries()); n > 0 {
		t.Errorf("the app got %d requests", n)
	}
	if n := g.metric(prefix + `attempts_total{outcome="refused",route="app",source="github"}`); n != 1 {
		t.Errorf("%v refused attempts are counted", n)
	}
	g.mustLoad(site(`{"name": body.user?.name ?? "nobody"}`))
	g.must(t, "replay", "--state", "dead", "--route", "app", "--yes")
	if got := app.waitFor(t, 1)[0]; string(got.body) != `{"name":"nobody"}` {
		t.Errorf("the app got %s", got.body)
	}
}

// Attempts at once do not multiply the memory that it takes to make a body.
func TestRewriteBodyAtOnce(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := start(t, githubSite("route app "+app.address+" {\nrewrite_body `{\"n\": len(body.list), \"id\": id}`\nconcurrency 64\n}"))
	g.must(t, "pause", "github", "app")
	list := strings.Repeat(`{"a":1},`, 100_000)
	const events = 24
	for i := range events {
		g.mustPost(fmt.Sprintf("g-%d", i), "push", []byte(`{"list":[`+list+`{}]}`), nil)
	}
	before := g.memory()
	g.must(t, "resume", "github", "app")
	app.waitFor(t, events)
	grown := (g.memory() - before) >> 20
	t.Logf("%d bodies of %d KiB took %d MiB", events, len(list)>>10, grown)
	if grown > int64(150*runtime.GOMAXPROCS(0)) {
		t.Errorf("%d bodies of %d KiB took %d MiB", events, len(list)>>10, grown)
	}
}

// The running gateway shows what a route would send, without secrets.
func TestRulesShowWhatIsSent(t *testing.T) {
	t.Parallel()
	g := start(t, githubSite("route app 127.0.0.1:1 {\nrewrite_body `{\"text\": body.a}`\n}\n"+
		"route placed {\nforward {\nrewrite * /{webhook.body.a}/{webhook.body.b}\nreverse_proxy 127.0.0.1:1\n}\n}\nroute never `false` 127.0.0.1:1 {\nrewrite_body `body.a`\n}"))
	file := filepath.Join(g.dir, "request.txt")
	if err := os.WriteFile(file, []byte("POST /hook HTTP/1.1\r\nX-GitHub-Event: push\r\n\r\n{\"a\":\"x "+theirSecret+"\"}"), 0o600); err != nil {
		t.Fatal(err)
	}
	var x operate.Explanation
	out := g.must(t, "rules", "--source", "github", "--json", file)
	if err := json.Unmarshal([]byte(out), &x); err != nil || strings.Contains(out, theirSecret) {
		t.Fatalf("%v in %s", err, out)
	}
	if p := x.Routes[0].Preview; p == nil || p.Body == nil || !strings.HasPrefix(p.Body.Text, `{"text":"x `) || p.Body.ContentType != "application/json" {
		t.Errorf("the body is shown as %s", out)
	}
	if p := x.Routes[1].Preview; p == nil || len(p.Placeholders) != 2 || !strings.HasPrefix(p.Placeholders[0].Value, "x ") || p.Placeholders[1].Error != "{webhook.body.b}: it is missing or null" {
		t.Errorf("placeholders are shown as %s", out)
	}
	if x.Routes[2].Preview != nil {
		t.Errorf("a route that does not take it makes %+v", x.Routes[2].Preview)
	}
}
