package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/operate"
)

// webhook runs a caddy webhook command against the gateway.
func (g *gateway) webhook(args ...string) (stdout, stderr string, status int) {
	g.t.Helper()
	return g.command(append(append([]string{"webhook"}, args...), "--address", g.admin)...)
}

// must runs a command that is to succeed.
func (g *gateway) must(t *testing.T, args ...string) string {
	t.Helper()
	stdout, stderr, status := g.webhook(args...)
	if status != 0 || stderr != "" {
		t.Fatalf("caddy webhook %s: exit %d, %s", strings.Join(args, " "), status, stderr)
	}
	return stdout
}

// startCommands runs a gateway with the five providers, all to one app.
func startCommands(t *testing.T, app *app) (*gateway, []party) {
	t.Helper()
	parties := theFive(newTokenAPI(t).URL)
	var site strings.Builder
	var env []string
	for _, p := range parties {
		fmt.Fprintf(&site, "webhook_gateway /%s/* {\n%s\nroute app %s\n}\n", p.name, p.block, app.address)
		env = append(env, "E2E_"+strings.ToUpper(p.name)+"="+p.secret)
	}
	site.WriteString("webhook_gateway /closed {\nsource closed\nprovider iusign secret\nallow_ips 192.0.2.1\nroute app 127.0.0.1:1\n}\n")
	return start(t, "{$HTTPS} {\n"+site.String()+"}\n", env...), parties
}

// TestSend sends samples of each of the five providers.
func TestSend(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g, parties := startCommands(t, app)
	var secrets []string
	out := ""
	for _, p := range parties {
		secrets = append(secrets, p.secret)
		sent := g.must(t, "send", p.name, "--event", p.event)
		for _, want := range []string{p.event + " to https://127.0.0.1:", "200 OK", "routed", "to app: delivered, attempt 1"} {
			if !strings.Contains(sent, want) {
				t.Errorf("send %s does not say %q: %s", p.name, want, sent)
			}
		}
		if event := g.settled(p.name, 1)[0]; event.Type != p.event {
			t.Errorf("send %s --event %s sent %s", p.name, p.event, event.Type)
		}
		all, types := g.sendAll(t, p.name)
		if n := len(g.settled(p.name, 1+len(types))); n != 1+len(types) || !slices.Contains(types, p.event) {
			t.Errorf("send %s --all led to %d events, and sent %v", p.name, n-1, types)
		}
		out += sent + all
	}
	for _, secret := range secrets {
		if strings.Contains(out, secret) {
			t.Errorf("send shows secret %s", secret)
		}
	}
	// Without an event type, the first that is listed.
	first, _, _ := strings.Cut(g.must(t, "send", "insigner", "--list"), "\n")
	if sent := g.must(t, "send", "insigner"); !strings.HasPrefix(sent, first+" to ") {
		t.Errorf("send insigner does not begin with %s: %s", first, sent)
	}
	if n, stored := len(app.deliveries()), len(g.events(nil)); n != stored {
		t.Errorf("the app got %d deliveries of %d events", n, stored)
	}
	g.checkLeaks(secrets)
}

// sendAll runs send --all --json, and returns what it printed, and the event
// types that it sent.
func (g *gateway) sendAll(t *testing.T, source string) (out string, types []string) {
	t.Helper()
	out = g.must(t, "send", source, "--all", "--json")
	for dec := json.NewDecoder(strings.NewReader(out)); ; {
		var sent struct {
			Event, URL string
			Status     int
			Stored     operate.EventInfo
		}
		if err := dec.Decode(&sent); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("send %s --all --json: %v in %s", source, err, out)
		}
		if sent.Status != 200 || !strings.HasPrefix(sent.URL, "https://127.0.0.1:") || sent.Stored.Type != sent.Event {
			t.Errorf("send %s --all --json printed %+v", source, sent)
		}
		types = append(types, sent.Event)
	}
	return out, types
}

// TestExitStatus runs commands to which the answer is no, and wrong ones.
func TestExitStatus(t *testing.T) {
	t.Parallel()
	g, _ := startCommands(t, newApp(t, nil))
	const nobody = "0190b8a4-7e00-7000-8000-000000000000"
	tests := map[string]struct {
		args []string
		want int
		says string
	}{
		"unknown source":          {[]string{"send", "nobody"}, 1, "there are: closed, fusesign, ignisign, insertsign, insigner, iusign"},
		"unknown event type":      {[]string{"send", "insigner", "--event", "nothing"}, 1, "no sample of nothing"},
		"refused":                 {[]string{"send", "closed"}, 1, "1 of 1"},
		"unknown event":           {[]string{"show", nobody}, 1, "not found"},
		"no source":               {[]string{"send"}, 2, "usage: caddy webhook send <source>"},
		"two sources":             {[]string{"send", "iusign", "insigner"}, 2, "usage"},
		"unknown flag":            {[]string{"send", "iusign", "--nope"}, 2, "--nope"},
		"URL that is none":        {[]string{"send", "iusign", "--url", "nowhere"}, 2, "nowhere"},
		"events with an argument": {[]string{"events", "x"}, 2, "usage"},
		"unknown state":           {[]string{"events", "--state", "lost"}, 2, "lost"},
		"limit that is none":      {[]string{"events", "--limit", "0"}, 2, "limit"},
		"moment that is none":     {[]string{"events", "--newer", "soon"}, 2, "soon"},
		"ID that is none":         {[]string{"show", "x"}, 2, "no event ID"},
		"no ID":                   {[]string{"show"}, 2, "usage"},
		"missing configuration":   {[]string{"events", "--config", "/nowhere/Caddyfile", "--address", ""}, 2, "/nowhere/Caddyfile"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var stderr string
			var status int
			if slices.Contains(test.args, "--address") {
				_, stderr, status = g.command(append([]string{"webhook"}, test.args...)...)
			} else {
				_, stderr, status = g.webhook(test.args...)
			}
			if status != test.want || !strings.Contains(stderr, test.says) {
				t.Errorf("exit %d, want %d and a message with %q: %s", status, test.want, test.says, stderr)
			}
		})
	}
	if out, _, status := g.command("webhook", "events", "--config", g.config); status != 0 || !strings.HasPrefix(out, "ID ") {
		t.Errorf("events --config: exit %d, %s", status, out)
	}
	g.stop()
	if _, stderr, status := g.webhook("events"); status != 1 || !strings.Contains(stderr, "refused") {
		t.Errorf("without a gateway events exits %d, want 1: %s", status, stderr)
	}
}

// TestEventsAndShow looks at events of several sources and states.
func TestEventsAndShow(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	const secret, token = "fusesign-signature-9c1d", "token-one-d0a3"
	g := start(t, fmt.Sprintf(`{$HTTPS} {
	webhook_gateway /a {
		source a
		provider fusesign {env.SECRET} {
			token header X-Guard {env.TOKEN}
		}
		route good %s
		route bad `+"`event == \"Odd\"`"+` 127.0.0.1:1 {
			retry 72h 1h
		}
	}
	webhook_gateway /b {
		source b
		provider custom {
			token query key {env.TOKEN}
		}
		event body.type
		route none 127.0.0.1:1 {
			retry 72h 1h
		}
	}
}
`, app.address), "SECRET="+secret, "TOKEN="+token)
	header := jsonHeader("Fuse-Signature", secret, "X-Guard", token, "Authorization", "Bearer abcdef-secret", "Cookie", "session=abcdef-secret")
	g.post("/a", header, []byte(`{"WebhookId":"1","EventType":"Even"}`))
	g.post("/a", header, []byte(`{"WebhookId":"2","EventType":"Odd"}`))
	g.post("/b?key="+token+"&x=1", jsonHeader(), []byte("{\"type\":\"\x1b[31mred\"}\xff"))
	app.waitFor(t, 2)
	eventually(t, "deliveries settle", func() bool {
		attempts := 0
		for _, e := range g.events(nil) {
			for _, d := range e.Deliveries {
				attempts += d.Attempts
			}
		}
		return attempts == 4 && len(g.events(url.Values{"state": {"delivering"}})) == 0
	})
	newest := g.events(nil)
	for filter, want := range map[string]int{
		"source=a": 2, "source=b": 1, "event=Odd": 1, "route=good": 2, "route=bad": 1,
		"state=delivered": 2, "state=pending": 2, "state=pending&route=bad": 1, "state=dead": 0, "state=unrouted": 0,
		"limit=1": 1, "older=1h": 0, "newer=1h": 3, "newer=1h&source=a&event=Even": 1,
		"older=" + url.QueryEscape(newest[0].ReceivedAt.Format(time.RFC3339Nano)): 2,
	} {
		query, err := url.ParseQuery(filter)
		if err != nil {
			t.Fatal(err)
		}
		if events := g.events(query); len(events) != want {
			t.Errorf("%s lists %d events, want %d", filter, len(events), want)
		}
	}
	for filter, want := range map[string]int{"": 3, "--state delivered --route good --event Odd --source a --newer 1h --limit 9": 1, "--older 1h": 0} {
		var list struct{ Events []operate.EventInfo }
		if err := json.Unmarshal([]byte(g.must(t, append([]string{"events", "--json"}, strings.Fields(filter)...)...)), &list); err != nil {
			t.Fatal(err)
		}
		if len(list.Events) != want {
			t.Errorf("events %s lists %d, want %d", filter, len(list.Events), want)
		}
	}
	table := g.must(t, "events")
	lines := strings.Split(strings.TrimSpace(table), "\n")
	if len(lines) != 4 || !strings.HasPrefix(lines[0], "ID ") || !strings.Contains(lines[2], "good:delivered bad:pending") {
		t.Errorf("events prints:\n%s", table)
	}
	shown := g.must(t, "show", newest[1].ID)
	for _, want := range []string{newest[1].ID, "source       a (provider fusesign)", "POST /a HTTP/1.1", "Fuse-Signature: [masked]", "X-Guard: [masked]",
		"Authorization: [masked]", "Cookie: [masked]", `{"WebhookId":"2","EventType":"Odd"}`, "to good: delivered, attempt 1"} {
		if !strings.Contains(shown, want) {
			t.Errorf("show does not print %q:\n%s", want, shown)
		}
	}
	var event operate.EventInfo
	if err := json.Unmarshal([]byte(g.must(t, "show", newest[0].ID, "--json")), &event); err != nil {
		t.Fatal(err)
	}
	if event.Request.URI != "/b?x=1" || string(event.Request.Binary) != "{\"type\":\"\x1b[31mred\"}\xff" {
		t.Errorf("show --json prints %+v", event.Request)
	}
	if out := table + g.must(t, "show", newest[0].ID); strings.Contains(out, "\x1b") {
		t.Errorf("what a sender chose reaches the terminal: %q", out)
	}
	g.checkLeaks([]string{secret, token, "abcdef-secret"})
}
