package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/operate"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue/disk"
)

// shortLived follows the upstream of a route whose deliveries die soon.
const shortLived = " {\n\t\t\tretry 30ms 5ms 10ms\n\t\t}"

// mustSendAll posts many events at the same time.
func (g *gateway) mustSendAll(ids []string) {
	g.t.Helper()
	var senders sync.WaitGroup
	refused := make(chan string, len(ids))
	for part := range slices.Chunk(ids, len(ids)/16+1) {
		senders.Go(func() {
			for _, id := range part {
				if resp, err := g.send(id); err != nil || resp.status != http.StatusOK {
					refused <- id
				}
			}
		})
	}
	senders.Wait()
	if len(refused) > 0 {
		g.t.Fatalf("%d of %d events were refused", len(refused), len(ids))
	}
}

// exits runs a command that is to exit with a status and to say something.
func (g *gateway) exits(t *testing.T, status int, says string, args ...string) {
	t.Helper()
	stdout, stderr, got := g.webhook(args...)
	if got != status || !strings.Contains(stdout+stderr, says) {
		t.Errorf("caddy webhook %s: exit %d, want %d and %q: %s%s", strings.Join(args, " "), got, status, says, stdout, stderr)
	}
}

// deadLetters lists dead letters, a page of n at a time.
func (g *gateway) deadLetters(t *testing.T, n int) (all []operate.DeadLetter) {
	t.Helper()
	before := ""
	for {
		var page struct {
			DeadLetters []operate.DeadLetter `json:"dead_letters"`
			Next        string
		}
		args := []string{"dead", "--json", "--limit", fmt.Sprint(n), "--before", before}
		if err := json.Unmarshal([]byte(g.must(t, args...)), &page); err != nil {
			t.Fatal(err)
		}
		all = append(all, page.DeadLetters...)
		if len(page.DeadLetters) > n {
			t.Fatalf("a page of %d has %d rows", n, len(page.DeadLetters))
		}
		if before = page.Next; before == "" {
			return all
		}
	}
}

// TestDeadLettersAreReplayed is the walk of docs/operating.md, with more events than one
// step of a replay takes.
func TestDeadLettersAreReplayed(t *testing.T) {
	t.Parallel()
	const n = 1200
	app := unstartedApp(t, freeAddress(t), nil)
	g := start(t, insignerSite(app.address+shortLived, ""))
	g.mustSendAll(numbers(n))
	eventually(t, "all deliveries die", func() bool { return g.deliveries("insigner", "app", "dead") == n })

	dead := g.deadLetters(t, 500)
	ids := make(map[string]bool)
	for _, d := range dead {
		ids[d.ID] = true
		if d.Route != "app" || !strings.Contains(d.Reason, "connection refused") || d.Ended.Before(d.ReceivedAt) {
			t.Fatalf("dead letter: %+v", d)
		}
	}
	if len(ids) != n || len(dead) != n {
		t.Fatalf("%d dead letters of %d events are listed, want %d", len(dead), len(ids), n)
	}
	table := g.must(t, "dead", "--where", `body.id in ["7", "8"]`, "--event", "document.completed")
	if !regexp.MustCompile(`^ID +RECEIVED .* DEAD FOR +REASON\n(.* insigner +document\.completed +app +\d+ +\d+s +gave up .*refused\n){2}$`).MatchString(table) {
		t.Errorf("dead prints:\n%s", table)
	}
	minuteAgo := time.Now().Add(-time.Minute).Format(time.DateTime) // as tables have it
	if later := g.must(t, "dead", "--newer", minuteAgo, "--limit", "1"); !strings.Contains(later, dead[0].ID) {
		t.Errorf("dead since %s prints:\n%s", minuteAgo, later)
	}
	if next := g.must(t, "dead", "--limit", "3"); !strings.Contains(next, "--before "+dead[2].ID) {
		t.Errorf("the first page does not name the second:\n%s", next)
	}

	all := []string{"replay", "--source", "insigner"}
	g.exits(t, 2, "sends 1200 deliveries of 1200 events again. Add --yes", all...)
	g.exits(t, 0, "replay would do: 1200 deliveries of 1200 events", append(all, "--dry-run")...)
	if n := g.deliveries("insigner", "app", "dead"); n != float64(len(dead)) {
		t.Fatalf("%v dead letters are left by a dry run", n)
	}
	app.listen(t)
	g.exits(t, 0, "replay: 3 deliveries of 3 events", append(all, "--yes", "--limit", "3")...)
	g.exits(t, 0, "replay: 1 delivery of 1 event", append(all, "--yes", "--where", `body.id == "7"`)...)
	var done operate.Done
	if err := json.Unmarshal([]byte(g.must(t, append(all, "--yes", "--json")...)), &done); err != nil || done.Deliveries != n-4 || done.Events != n-4 {
		t.Errorf("replayed %+v, %v; want %d", done, err, n-4)
	}
	for id, times := range app.waitForAll(t, numbers(n)) {
		if times != 1 {
			t.Errorf("event %s was delivered %d times", id, times)
		}
	}
	g.settle("insigner", "app")
	if left := g.deadLetters(t, 500); len(left) != 0 {
		t.Errorf("%d dead letters are left", len(left))
	}
	g.exits(t, 0, "replay: 0 deliveries of 0 events", all...)
	if shown := g.must(t, "show", dead[0].ID); !strings.Contains(shown, "to app: delivered, attempt 1, answered 200, replayed 1×") {
		t.Errorf("show does not tell of the replay:\n%s", shown)
	}

	// A replay is no copy, and copies are still known.
	g.exits(t, 1, "name a route", "replay", dead[0].ID)
	g.exits(t, 0, "replay: 1 delivery of 1 event", "replay", dead[0].ID, "--route", "app")
	g.mustSend("7")
	app.waitFor(t, n+1)
	g.settle("insigner", "app")
	if got, stored := len(app.deliveries()), len(g.events(nil)); got != n+1 || stored != n {
		t.Errorf("%d deliveries of %d events, want %d of %d", got, stored, n+1, n)
	}
}

// TestReplayElsewhere sends events to other routes than they had.
func TestReplayElsewhere(t *testing.T) {
	t.Parallel()
	app, spare := newApp(t, status(http.StatusGone)), newApp(t, nil)
	site := func(rule string) string {
		return fmt.Sprintf("{$HTTPS} {\n\twebhook_gateway /hook {\n\t\tprovider insigner %s\n\t\troute app `body.id startsWith \"a\"` %s\n\t\troute spare `%s` %s\n\t}\n}\n",
			insignerSecret, app.address, rule, spare.address)
	}
	g := start(t, site("false"))
	g.mustSend("a1", "a2", "a3", "b1", "b2")
	for _, id := range []string{"a1", "a2", "a3"} {
		g.waitForState(id, "app", "dead")
	}
	a1, _ := g.event("a1")
	b1, _ := g.event("b1")
	g.exits(t, 1, "has no route nowhere", "replay", a1.ID, "--to", "nowhere")
	g.exits(t, 1, "no route is named nowhere", "replay", "--state", "dead", "--to", "nowhere", "--yes")
	g.exits(t, 1, "no route takes it", "replay", b1.ID)
	g.exits(t, 0, "1 delivery of 1 event", "replay", a1.ID, "--to", "spare")
	if d := g.waitForState("a1", "spare", "delivered"); d.From != "app" || d.Replays != 1 {
		t.Errorf("replayed to another route: %+v", d)
	}
	if a1, _ = g.event("a1"); len(a1.Deliveries) != 1 {
		t.Errorf("the dead delivery did not make room: %+v", a1.Deliveries)
	}

	g.mustLoad(site(`body.id != "a3"`))
	g.exits(t, 0, "2 deliveries of 2 events", "replay", "--state", "unrouted", "--yes")
	g.waitForState("b1", "spare", "delivered")
	g.waitForState("b2", "spare", "delivered")
	// By the rules of today a2 has both routes, a3 the one that it had.
	g.exits(t, 0, "3 deliveries of 2 events", "replay", "--state", "dead", "--reroute", "--yes")
	g.waitForState("a2", "spare", "delivered")
	if d := g.waitForState("a2", "app", "dead"); d.Replays != 1 {
		t.Errorf("not replayed to its own route: %+v", d)
	}
	if a3, _ := g.event("a3"); len(a3.Deliveries) != 1 {
		t.Errorf("rerouted against the rules: %+v", a3.Deliveries)
	}
	if counts := spare.counts(); len(counts) != 4 || counts["a1"] != 1 || counts["a2"] != 1 || counts["b1"] != 1 {
		t.Errorf("the spare app got %v", counts)
	}
}

// TestReplayOfWaitingDeliveries makes them due, or takes them elsewhere.
func TestReplayOfWaitingDeliveries(t *testing.T) {
	t.Parallel()
	app := newApp(t, status(http.StatusServiceUnavailable))
	const late = " {\n\t\t\tretry 72h 1h\n\t\t}"
	g := start(t, insignerSite(app.address+late, ""))
	g.mustSend("1", "2")
	app.waitFor(t, 2)
	g.waitForState("1", "app", "pending")
	g.waitForState("2", "app", "pending")
	app.setAnswer(nil)
	one, _ := g.event("1")
	g.exits(t, 0, "1 delivery of 1 event", "replay", one.ID)
	if d := g.waitForState("1", "app", "delivered"); d.Attempts != 2 || d.Replays != 1 {
		t.Errorf("delivery: %+v", d)
	}

	g.mustLoad(strings.Replace(insignerSite(app.address, ""), "route app", "route renamed", 1))
	g.exits(t, 0, "parked: 1 delivery, whose route is paused or not configured", "replay", one.ID, "--route", "app")
	g.exits(t, 0, "drop: 1 delivery of 1 event", "drop", one.ID)
	if d := g.waitForState("2", "app", "parked"); d.Paused {
		t.Errorf("the delivery of a route that is gone is shown as paused")
	}
	g.exits(t, 0, "1 delivery of 1 event", "replay", "--state", "parked", "--route", "app", "--to", "renamed", "--yes")
	g.waitForState("2", "renamed", "delivered")
	if n := len(app.deliveries()); n != 4 {
		t.Errorf("%d attempts, want 4", n)
	}
}

func TestDrop(t *testing.T) {
	t.Parallel()
	app := newApp(t, status(http.StatusServiceUnavailable))
	g := start(t, insignerSite(app.address+" {\n\t\t\tretry 72h 1h\n\t\t}", "route other "+newApp(t, nil).address))
	g.mustSend("1", "2", "3")
	app.waitFor(t, 3)
	for _, id := range []string{"1", "2", "3"} {
		g.waitForState(id, "app", "pending")
		g.waitForState(id, "other", "delivered")
	}
	one, _ := g.event("1")
	g.exits(t, 1, "nothing of it waits", "drop", one.ID, "--route", "other")
	g.exits(t, 0, "drop: 1 delivery of 1 event", "drop", one.ID)
	if d := g.waitForState("1", "app", "dead"); d.Reason != "dropped by an operator" || d.Attempts != 1 {
		t.Errorf("delivery: %+v", d)
	}
	g.exits(t, 2, "Error: what is delivered waits for nothing", "drop", "--state", "delivered", "--yes")
	g.exits(t, 2, "drops 2 deliveries of 2 events. Add --yes", "drop", "--source", "insigner")
	g.exits(t, 0, "drop: 2 deliveries of 2 events", "drop", "--source", "insigner", "--yes")
	g.waitForState("3", "app", "dead")
	if d := g.waitForState("3", "other", "delivered"); d.Reason != "" {
		t.Errorf("what was delivered: %+v", d)
	}
	if n := len(g.deadLetters(t, 10)); n != 3 {
		t.Errorf("%d dead letters, want 3", n)
	}
	app.setAnswer(nil)
	g.exits(t, 0, "replay: 3 deliveries", "replay", "--state", "dead", "--yes")
	g.waitForState("3", "app", "delivered")
}

func TestPause(t *testing.T) {
	t.Parallel()
	app, other := newApp(t, nil), newApp(t, nil)
	g := start(t, insignerSite(app.address, "route other "+other.address))
	g.exits(t, 1, "source nobody", "pause", "nobody")
	g.exits(t, 1, "no such route", "pause", "insigner", "nowhere")
	g.exits(t, 0, "paused routes of insigner: app\n", "pause", "insigner", "app")
	g.mustSend("1", "2")
	other.waitFor(t, 2)
	if d := g.waitForState("1", "app", "parked"); !d.Paused {
		t.Errorf("delivery of a paused route: %+v", d)
	}
	one, _ := g.event("1")
	if shown := g.must(t, "show", one.ID); !strings.Contains(shown, "to app: parked (the route is paused)") {
		t.Errorf("show prints:\n%s", shown)
	}
	if n := g.deliveries("insigner", "app", "parked"); n != 2 {
		t.Errorf("the metrics say that %v deliveries are parked, want 2", n)
	}
	var sources []operate.SourceInfo
	if g.adminJSON(http.MethodGet, "/webhook_gateway/sources", &sources); !slices.Equal(sources[0].Paused, []string{"app"}) {
		t.Errorf("sources: %+v", sources)
	}

	g.mustLoad(insignerSite(app.address, "route other "+other.address+"\nrespond 200 ok"))
	g.kill()
	g.run()
	resp, err := g.send("3")
	if err != nil || resp.status != http.StatusOK {
		t.Fatalf("after a restart: %v, %v", resp, err)
	}
	other.waitFor(t, 3)
	if n := len(app.deliveries()); n != 0 {
		t.Fatalf("a paused route got %d deliveries", n)
	}
	g.exits(t, 0, "paused routes of insigner: app, other\n", "pause", "insigner")
	g.exits(t, 0, `"paused": []`, "resume", "insigner", "--json")
	app.waitFor(t, 3)
	g.settle("insigner", "app")
	if counts := app.counts(); len(counts) != 3 {
		t.Errorf("the app got %v", counts)
	}
}

// TestFilters selects events with expressions, and pages through them.
func TestFilters(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := start(t, insignerSite(app.address, ""))
	g.mustSend(numbers(7)...)
	app.waitFor(t, 7)
	g.settle("insigner", "app")
	for where, want := range map[string]int{
		`true`:                          7,
		`int(body.id) > 4`:              2,
		`body.data.title contains "ü"`:  7,
		`event == "document.completed"`: 7,
		`header("X-Insigner-Deliveryid") == "3" && source == "insigner"`: 1,
		`path == "/hook" && method == "POST" && remote_ip != ""`:         7,
		`body.nothing.there == 1`:                                        0, // it fails
		`body.id == "2" || body.nothing.there`:                           1,
	} {
		if n := len(g.events(url.Values{"where": {where}})); n != want {
			t.Errorf("%s selects %d events, want %d", where, n, want)
		}
	}
	var got []string
	for before := ""; ; {
		var page struct {
			Events []operate.EventInfo
			Next   string
		}
		g.adminJSON(http.MethodGet, "/webhook_gateway/events?limit=3&before="+before, &page)
		for _, e := range page.Events {
			got = append(got, e.DeliveryID)
		}
		if before = page.Next; before == "" {
			break
		}
	}
	if want := []string{"6", "5", "4", "3", "2", "1", "0"}; !slices.Equal(got, want) {
		t.Errorf("pages list %v, want %v", got, want)
	}
	newest := g.events(nil)[0]
	for _, wrong := range []string{"where=bodi.id", "where=1", "before=x", "limit=-1"} {
		resp, err := http.Get("http://" + g.admin + "/webhook_gateway/events?" + wrong)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s is answered with %d", wrong, resp.StatusCode)
		}
	}
	for name, test := range map[string]struct {
		args []string
		want int
		says string
	}{
		"unknown name":        {[]string{"events", "--where", "bodi.id == 1"}, 2, "bodi"},
		"not boolean":         {[]string{"dead", "--where", "event"}, 2, "bool"},
		"before that is none": {[]string{"events", "--before", "x"}, 2, "before"},
		"nothing selected":    {[]string{"replay", "--yes"}, 2, "name events"},
		"limit alone":         {[]string{"drop", "--limit", "5", "--yes"}, 2, "name events"},
		"ID and filter":       {[]string{"replay", newest.ID, "--state", "dead"}, 2, "either named, or selected"},
		"ID that is none":     {[]string{"replay", "x"}, 2, "no event ID"},
		"to and reroute":      {[]string{"replay", newest.ID, "--to", "app", "--reroute"}, 2, "exclude"},
		"unknown event":       {[]string{"replay", "0190b8a4-7e00-7000-8000-000000000000"}, 1, "not found"},
		"pause without":       {[]string{"pause"}, 2, "usage"},
		"follow and older":    {[]string{"events", "--follow", "--older", "1h"}, 2, "--older"},
	} {
		t.Run(name, func(t *testing.T) { g.exits(t, test.want, test.says, test.args...) })
	}
}

// TestRulesCommand asks rules about raw requests.
func TestRulesCommand(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	g.write(queueIn, "{$HTTPS} {\n\thandle /x/* {\n\t\twebhook_gateway /x/hook {\n\t\t\tsource shop\n"+
		"\t\t\tprovider insigner {env.NOT_THERE}\n"+
		"\t\t\troute large `body.amount > 1000` localhost:1\n"+
		"\t\t\troute odd `body.items[0].sku == \"A\"` localhost:1\n"+
		"\t\t\totherwise localhost:1\n\t\t}\n\t}\n"+
		"\twebhook_gateway /bare {\n\t\tsource bare\n\t\tprovider iusign {env.NOT_THERE}\n\t\troute one `event == \"x\"` localhost:1\n\t}\n}\n")
	request := filepath.Join(g.dir, "request.txt")
	ask := func(body string, args ...string) (*operate.Explanation, string, int) {
		t.Helper()
		raw := "POST /x/hook?a=1 HTTP/1.1\r\nHost: example.com\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n" + body
		if err := os.WriteFile(request, []byte(raw), 0o600); err != nil {
			t.Fatal(err)
		}
		stdout, stderr, status := g.command(append([]string{"webhook", "rules", request, "--json"}, args...)...)
		x := new(operate.Explanation)
		if err := json.Unmarshal([]byte(stdout), x); err != nil && status == 0 {
			t.Fatalf("rules prints %s%s", stdout, stderr)
		}
		return x, stderr, status
	}
	offline := []string{"--config", g.config, "--source", "shop"}
	x, _, status := ask(`{"id":"i1","event":"paid","amount":2000}`, offline...)
	want := []module.RouteDecision{
		{Route: "large", Takes: "yes", Rule: "body.amount > 1000"},
		{Route: "odd", Takes: "failed", Rule: `body.items[0].sku == "A"`},
		{Route: "otherwise", Takes: "no"},
	}
	if len(x.Routes) == 3 {
		want[1].Error = x.Routes[1].Error
	}
	if status != 0 || x.Type != "paid" || x.ID != "i1" || !slices.Equal(x.Routes, want) || x.Routes[1].Error == "" {
		t.Errorf("exit %d: %+v", status, x)
	}
	if x, _, status = ask(`{"id":"i1","amount":1,"items":[{"sku":"B"}]}`, offline...); status != 0 || x.Routes[2].Takes != "yes" || x.Routes[1].Takes != "no" {
		t.Errorf("exit %d: %+v", status, x)
	}
	if x, stderr, status := ask(`{"event":"y"}`, "--config", g.config, "--source", "bare"); status != 1 || len(x.Routes) != 1 || !strings.Contains(stderr, "no route takes it") {
		t.Errorf("exit %d: %+v, %s", status, x, stderr)
	}
	stdout, _, status := g.command("webhook", "rules", request, "--config", g.config, "--source", "shop")
	if status != 0 || !regexp.MustCompile(`(?s)event  y\nid     [0-9a-f]{32}\n\nROUTE +TAKES IT +RULE\nlarge +failed +body.amount > 1000: .*otherwise +yes +\(no other route takes it\)\n`).MatchString(stdout) {
		t.Errorf("rules prints, exit %d:\n%s", status, stdout)
	}
	stdin := exec.Command(os.Args[0], "webhook", "rules", "-", "--config", g.config, "--source", "shop", "--json")
	stdin.Env, stdin.Stdin = g.env, strings.NewReader("POST https://example.com/x/hook\nX-Any: 1\n\n{\"id\":\"from stdin\"}")
	if out, err := stdin.Output(); err != nil || !strings.Contains(string(out), `"id": "from stdin"`) {
		t.Errorf("rules - prints %s, %v", out, err)
	}
	for says, args := range map[string][]string{
		"no source nobody": {request, "--config", g.config, "--source", "nobody"},
		"--source":         {request, "--config", g.config},
		"nowhere.txt":      {"nowhere.txt", "--config", g.config, "--source", "shop"},
		"request line":     {g.config, "--config", g.config, "--source", "shop"},
	} {
		if _, stderr, status := g.command(append([]string{"webhook", "rules"}, args...)...); status != 2 || !strings.Contains(stderr, says) {
			t.Errorf("rules %v: exit %d, want 2 and %q: %s", args, status, says, stderr)
		}
	}
	if _, err := os.Stat(filepath.Join(g.dir, "queue")); err == nil {
		t.Error("asking the rules opened the queue")
	}

	// The running gateway answers alike.
	g.env = append(g.env, "NOT_THERE="+insignerSecret)
	g.run()
	if x, _, status = ask(`{"id":"i1","event":"paid","amount":2000}`, "--address", g.admin, "--source", "shop"); status != 0 || !slices.Equal(x.Routes, want) {
		t.Errorf("the running gateway says, exit %d: %+v", status, x)
	}
	if _, stderr, status := ask(`{}`, "--address", g.admin, "--source", "nobody"); status != 1 || !strings.Contains(stderr, "nobody") {
		t.Errorf("unknown source: exit %d, %s", status, stderr)
	}
}

// TestUnprovenEvents decides about events whose proof could not be checked.
func TestUnprovenEvents(t *testing.T) {
	t.Parallel()
	target := newApp(t, nil)
	unclear := newApp(t, inTurn(status(502), status(502), consumed))
	down := unstartedApp(t, freeAddress(t), nil)
	g := start(t, "{$HTTPS} {\n"+ignisignSource("unclear", target.address, unclear, "")+ignisignSource("down", target.address, down, "")+"}\n")
	for token, source := range map[string]string{"u1": "unclear", "u2": "unclear", "h": "down"} {
		if status := g.sendToken(source, token); status != http.StatusOK {
			t.Fatalf("token %s is answered with %d", token, status)
		}
	}
	held, _ := g.event("h")
	g.exits(t, 1, "its proof is still being checked", "replay", held.ID, "--to", "app")
	g.exits(t, 0, "drop: 0 deliveries of 0 events", "drop", "--source", "down", "--yes")
	g.waitForEvent("u1", "uncertain")
	g.waitForEvent("u2", "uncertain")
	g.exits(t, 0, "replay: 0 deliveries of 0 events", "replay", "--source", "unclear", "--yes")
	u1, _ := g.event("u1")
	u2, _ := g.event("u2")
	g.exits(t, 0, "replay: 1 delivery of 1 event", "replay", u1.ID)
	if d := g.waitForState("u1", "app", "delivered"); d.Replays != 1 {
		t.Errorf("delivery: %+v", d)
	}
	g.exits(t, 0, "of 1 event", "drop", u2.ID)
	g.exits(t, 1, "not found", "show", u2.ID)
	eventually(t, "no call runs and the held event is dropped", func() bool {
		stdout, _, _ := g.webhook("drop", "--state", "held", "--yes")
		return strings.Contains(stdout, "of 1 event")
	})
	g.exits(t, 1, "not found", "show", held.ID)
	if n := len(target.deliveries()); n != 1 {
		t.Errorf("%d deliveries, want 1", n)
	}
}

// TestShowAttempts shows a delivery whose attempts lie in the queue.
func TestShowAttempts(t *testing.T) {
	t.Parallel()
	g := start(t, insignerSite(newApp(t, nil).address, ""))
	g.mustSend("1")
	g.waitForState("1", "app", "delivered")
	e, _ := g.event("1")
	g.stop()
	store, err := disk.Open(filepath.Join(g.dir, "queue"), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.Local)
	err = store.Update(t.Context(), uuid.MustParse(e.ID), func(e *queue.Event) error {
		e.Deliveries[0].Log = []queue.Attempt{
			{At: at, Took: 1500 * time.Microsecond, Status: 503, Reason: "503 Service Unavailable", Outcome: queue.Retry},
			{At: at.Add(time.Second), Took: 30 * time.Second, Reason: "no answer within 30s", Outcome: queue.Retry},
			{At: at.Add(time.Minute), Took: time.Second, Status: 200, Outcome: queue.Succeeded},
		}
		return nil
	})
	if err != nil || store.Close() != nil {
		t.Fatal(err)
	}
	g.run()
	shown := g.must(t, "show", e.ID)
	for _, want := range []string{
		"2026-03-04 05:06:07: retry after 1.5 ms, 503 Service Unavailable\n",
		"2026-03-04 05:06:08: retry after 30000.0 ms, no answer within 30s\n",
		"2026-03-04 05:07:07: delivered after 1000.0 ms, 200\n",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("show does not print %q:\n%s", want, shown)
		}
	}
	var event operate.EventInfo
	if err := json.Unmarshal([]byte(g.must(t, "show", e.ID, "--json")), &event); err != nil {
		t.Fatal(err)
	}
	want := operate.AttemptInfo{At: at.UTC(), Millis: 1.5, Outcome: "retry", Status: 503, Error: "503 Service Unavailable"}
	if log := event.Deliveries[0].Log; len(log) != 3 || log[0] != want {
		t.Errorf("show --json prints %+v", log)
	}
}
