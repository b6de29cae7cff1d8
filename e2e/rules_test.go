package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// ruleSites has sources with rules. Each route tells the app its name by path.
func ruleSites(app string) string {
	route := func(name, rule string) string {
		return fmt.Sprintf("route %s `%s` {\nforward {\nrewrite * /%s\nreverse_proxy %s\n}\n}\n", name, rule, name, app)
	}
	return "{$HTTPS} {\nwebhook_gateway /hook* {\nprovider iusign secret\n" +
		route("completed", `event == "envelope.completed"`) +
		route("exact", `body.n == 9007199254740993`) +
		route("urgent", `header("X-Env") == "prod" && "urgent" in body.tags`) +
		route("failing", `body.who.name == "x"`) +
		route("request", `method == "POST" && path == "/hook/a" && query.q == "1 2" && headers["x-env"] == "test" && source == "iusign" && provider == "iusign"`) +
		"otherwise {\nforward {\nrewrite * /otherwise\nreverse_proxy " + app + "\n}\n}\n}\n" +
		"webhook_gateway /strict {\nsource strict\nprovider iusign secret\n" + route("never", `event == "never"`) + "}\n" +
		"webhook_gateway /own {\nsource own\nprovider iusign secret\nevent `header(\"X-Event\")`\nid `body.key`\n" +
		route("own", `event == "mine" && id == "k1"`) + "}\n}\n"
}

func TestRules(t *testing.T) {
	t.Parallel()
	const jsonType, formType = "application/json", "application/x-www-form-urlencoded"
	tests := []struct {
		name, path, contentType, body string
		header                        http.Header
		event                         string
		want                          []string // routes
	}{
		{name: "one", path: "/hook", contentType: jsonType, body: `{"event":"envelope.completed"}`, event: "envelope.completed", want: []string{"completed"}},
		{name: "several", path: "/hook", contentType: jsonType, body: `{"type":"envelope.completed","n":9007199254740993,"tags":["a","urgent"]}`,
			header: http.Header{"X-Env": {"prod"}}, event: "envelope.completed", want: []string{"completed", "exact", "urgent"}},
		{name: "nearly the same number", path: "/hook", contentType: jsonType, body: `{"n":9007199254740992}`, want: []string{"otherwise"}},
		{name: "request", path: "/hook/a?q=1+2", contentType: jsonType, body: `{}`, header: http.Header{"X-Env": {"test"}}, want: []string{"request"}},
		{name: "otherwise", path: "/hook", contentType: jsonType, body: `{"event":"envelope.sent","who":{"name":"y"}}`, event: "envelope.sent", want: []string{"otherwise"}},
		{name: "a rule fails", path: "/hook", contentType: jsonType, body: `{"event":"envelope.completed","who":7,"tags":3}`,
			header: http.Header{"X-Env": {"prod"}}, event: "envelope.completed", want: []string{"completed"}},
		{name: "no JSON", path: "/hook", contentType: jsonType, body: `{"event":`, want: []string{"otherwise"}},
		{name: "empty", path: "/hook", contentType: jsonType, want: []string{"otherwise"}},
		{name: "JSON that is said to be a form", path: "/hook", contentType: formType, body: ` {"event":"envelope.completed","a":"b&c=%zz"}`, event: "envelope.completed", want: []string{"completed"}},
		{name: "JSON without a type", path: "/hook", body: `{"event":"envelope.completed","x":1}`, event: "envelope.completed", want: []string{"completed"}},
		{name: "a form", path: "/hook", contentType: formType, body: `event=envelope%2Ecompleted&x=1`, event: "envelope.completed", want: []string{"completed"}},
		{name: "unrouted", path: "/strict", contentType: jsonType, body: `{"event":"envelope.sent"}`, event: "envelope.sent"},
		{name: "overridden", path: "/own", contentType: jsonType, body: `{"event":"theirs","key":"k1"}`, header: http.Header{"X-Event": {"mine"}}, event: "mine", want: []string{"own"}},
		{name: "overridden in vain", path: "/own", contentType: jsonType, body: `{"event":"theirs"}`},
	}
	app := newApp(t, nil)
	g := start(t, ruleSites(app.address))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			events, deliveries := len(g.events(nil)), len(app.deliveries())
			header := http.Header{"X-Iusign-Signature": {hmacHex("secret", []byte(test.body))}}
			if test.contentType != "" {
				header.Set("Content-Type", test.contentType)
			}
			for name, values := range test.header {
				header[name] = values
			}
			if status, _ := g.post(test.path, header, []byte(test.body)); status != http.StatusOK {
				t.Fatalf("answer %d, want 200", status)
			}
			stored := g.events(nil)
			if len(stored) != events+1 {
				t.Fatalf("%d events are stored, want %d", len(stored), events+1)
			}
			var routes, paths []string
			for _, d := range stored[0].Deliveries {
				routes = append(routes, d.Route)
			}
			for _, d := range app.waitFor(t, deliveries+len(test.want))[deliveries:] {
				path, _, _ := strings.Cut(d.uri, "?")
				paths = append(paths, path[1:])
			}
			slices.Sort(routes)
			slices.Sort(paths)
			if !slices.Equal(routes, test.want) || !slices.Equal(paths, test.want) {
				t.Errorf("it was routed to %v and delivered to %v, want %v", routes, paths, test.want)
			}
			if state := map[bool]string{true: "routed", false: "unrouted"}[test.want != nil]; stored[0].State != state {
				t.Errorf("the event is %s, want %s", stored[0].State, state)
			}
			if stored[0].Type != test.event {
				t.Errorf("the event's type is %q, want %q", stored[0].Type, test.event)
			}
		})
	}
	if n := g.metric(`caddy_webhook_gateway_rule_errors_total{route="failing",source="iusign"}`); n == 0 {
		t.Error("rules that failed were not counted")
	}
	if n := g.metric(`caddy_webhook_gateway_unidentified_total{source="own",what="id"}`); n != 1 {
		t.Errorf("%v missing delivery IDs were counted, want 1", n)
	}
	if log := g.log.String(); !strings.Contains(log, `"route":"failing"`) {
		t.Error("no rule that failed is named in the log")
	}
	if n := len(g.events(url.Values{"state": {"unrouted"}})); n != 2 {
		t.Errorf("%d events are unrouted, want 2", n)
	}
}

// A rule that would take more work than one event may cost does not hold, and the
// event is kept; small rules hold nevertheless.
func TestRulesBeyondTheirBudget(t *testing.T) {
	t.Parallel()
	const greedy = "`any(body.items, any(body.items, # == -1))`"
	app := newApp(t, nil)
	to := " {\nto " + app.address + "\n}\n"
	g := start(t, "{$HTTPS} {\n"+
		"webhook_gateway /hook {\nprovider iusign secret\nroute greedy "+greedy+to+"route plain `event == \"plain\"`"+to+"otherwise"+to+"}\n"+
		"webhook_gateway /strict {\nsource strict\nprovider iusign secret\nroute greedy "+greedy+to+"}\n}\n")
	items := "[" + strings.Repeat("1,", 50_000) + "1]"
	for _, test := range []struct {
		source, path, body, state string
		want                      []string
	}{
		{"iusign", "/hook", `{"event":"plain","items":` + items + `}`, "routed", []string{"plain"}},
		{"iusign", "/hook", `{"event":"other","items":` + items + `}`, "routed", []string{"otherwise"}},
		{"iusign", "/hook", `{"event":"few","items":[1,-1]}`, "routed", []string{"greedy"}},
		{"strict", "/strict", `{"event":"other","items":` + items + `}`, "unrouted", nil},
	} {
		header := http.Header{"X-Iusign-Signature": {hmacHex("secret", []byte(test.body))}, "Content-Type": {"application/json"}}
		if status, _ := g.post(test.path, header, []byte(test.body)); status != http.StatusOK {
			t.Fatalf("answer %d to %.30s, want 200", status, test.body)
		}
		event := g.events(url.Values{"source": {test.source}})[0]
		var routes []string
		for _, d := range event.Deliveries {
			routes = append(routes, d.Route)
		}
		if event.State != test.state || !slices.Equal(routes, test.want) {
			t.Errorf("%.30s is %s, for %v; want %s, for %v", test.body, event.State, routes, test.state, test.want)
		}
	}
	for source, want := range map[string]float64{"iusign": 2, "strict": 1} {
		if n := g.metric(fmt.Sprintf(`caddy_webhook_gateway_rule_errors_total{route="greedy",source=%q}`, source)); n != want {
			t.Errorf("%v errors of rules are counted for %s, want %v", n, source, want)
		}
	}
	if log := g.log.String(); !strings.Contains(log, "the budget of work for the rules of one event is used up") {
		t.Error("the log does not name the budget")
	}
}
