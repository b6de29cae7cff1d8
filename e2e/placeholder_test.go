package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// A value in a path is one segment, whatever is in it; in a query it is one value.
func TestPlaceholdersInPaths(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := start(t, githubSite("route app {\nforward {\nrewrite * /t/{webhook.body.a}/x-{webhook.body.list.0}?a={webhook.body.a}&e={webhook.event}\nreverse_proxy "+app.address+"\n}\n}"))
	for i, value := range []string{
		"plain", "a/b", "a/../../admin", "../admin", "a?b=c", "a#b", "a&b=c", "a%2Fb", "100%", "a b", "é", "a\nb", "a\r\nX-Evil: 1", `a\b`,
		"{env.HOME}", "{webhook.id}", "{http.request.header.X-Secret}", ";a,b", "...", "%2e%2e", "//", "\x00", "+", "a:b@c",
	} {
		body, _ := json.Marshal(map[string]any{"a": value, "list": []any{i}})
		g.mustPost(fmt.Sprintf("g-%d", i), "push", body, nil)
		got := app.waitFor(t, i+1)[i]
		path, query, _ := strings.Cut(got.uri, "?")
		segments := strings.Split(path, "/")
		if len(segments) != 4 || segments[1] != "t" || segments[3] != fmt.Sprintf("x-%d", i) {
			t.Errorf("%q is sent as %s", value, got.uri)
			continue
		}
		if segment, err := url.PathUnescape(segments[2]); segment != value || err != nil {
			t.Errorf("%q is sent as %s", value, segments[2])
		}
		want := url.Values{"a": {value}, "e": {"push"}}
		if values, err := url.ParseQuery(query); fmt.Sprint(values) != fmt.Sprint(want) || err != nil {
			t.Errorf("%q is sent as %v", value, values)
		}
		if got.header.Get("X-Evil") != "" {
			t.Errorf("%q makes a header", value)
		}
	}
}

// The segment stays one through whatever else the handlers do to the path.
func TestPlaceholdersAfterOtherRewrites(t *testing.T) {
	t.Parallel()
	const to = "\nreverse_proxy APP\n"
	routes := map[string]struct{ forward, want string }{
		"prefix":    {"route {\nrewrite * /t/{webhook.body.a}\nuri strip_prefix /t\n" + to + "\n}", "/x%2F..%2F..%2Fy"},
		"suffix":    {"route {\nrewrite * /{webhook.body.a}/end\nuri strip_suffix /end\n" + to + "\n}", "/x%2F..%2F..%2Fy"},
		"twice":     {"route {\nrewrite * /t/{webhook.body.a}\nrewrite * /v2{uri}?n=1\n" + to + "\n}", "/v2/t/x%2F..%2F..%2Fy?n=1"},
		"path":      {"route {\nrewrite * /t/{webhook.body.a}?k=v\nrewrite * /v3{path}\n" + to + "\n}", "/v3/t/x%2F..%2F..%2Fy?k=v"},
		"parameter": {"route {\nrewrite * /{webhook.body.a}\nuri query +b {webhook.body.b}\n" + to + "\n}", "/x%2F..%2F..%2Fy?b=1%262"},
		"middle":    {"route {\nrewrite * /{webhook.header.X-GitHub-Event}.{webhook.body.a}~{webhook.id}\n" + to + "\n}", "/push.x%2F..%2F..%2Fy~g-1"},
		"map":       {"map {webhook.event} {up} {\npush APP\ndefault 127.0.0.1:1\n}\nreverse_proxy {up}", "/hook"},
		"matcher":   {"@push `{webhook.event} == \"push\"`\nhandle @push {\nrewrite * /pushed/{webhook.body.b}\n" + to + "\n}\nhandle {\nrewrite * /{webhook.body.missing}\n" + to + "\n}", "/pushed/1&2"},
	}
	var lines strings.Builder
	apps := make(map[string]*app)
	for name, route := range routes {
		apps[name] = newApp(t, nil)
		fmt.Fprintf(&lines, "route %s {\nforward {\n%s\n}\n}\n", name, strings.ReplaceAll(route.forward, "APP", apps[name].address))
	}
	g := start(t, githubSite(lines.String()))
	g.mustPost("g-1", "push", []byte(`{"a":"x/../../y","b":"1&2"}`), nil)
	for name, route := range routes {
		if got := apps[name].waitFor(t, 1)[0]; got.uri != route.want {
			t.Errorf("%s: the app got %s, want %s", name, got.uri, route.want)
		}
	}
}

// Headers and bodies of handlers have values, in which line breaks are spaces.
func TestPlaceholdersInHeaders(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := start(t, githubSite("route app {\nforward {\nrequest_header X-Event {webhook.event}\nreverse_proxy "+app.address+` {
		header_up X-Id {webhook.id}
		header_up X-Value "<{webhook.body.a}>"
		header_up X-Tenant {webhook.header.x-tenant}
		header_up X-Empty "[{webhook.body.empty}]"
	}
}
rewrite_body `+"`{\"a\": 1}`"+`
}`))
	g.mustPost("g-1", "push", []byte(`{"a":"1\r\nX-Evil: 1\u0000\u007f","empty":""}`), http.Header{"X-Tenant": {"acme", "other"}})
	got := app.waitFor(t, 1)[0]
	for name, want := range map[string]string{
		"X-Event": "push", "X-Id": "g-1", "X-Value": "<1  X-Evil: 1  >", "X-Tenant": "acme", "X-Empty": "[]", "X-Evil": "",
	} {
		if value := got.header.Get(name); value != want {
			t.Errorf("%s is %q, want %q", name, value, want)
		}
	}
	if string(got.body) != `{"a":1}` {
		t.Errorf("the app got %s", got.body)
	}
}

// Without its value nothing is sent, and the dead letter says why.
func TestPlaceholdersWithoutValues(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	routes := map[string]struct{ forward, reason string }{
		"missing":   {"rewrite * /t/{webhook.body.missing}", "{webhook.body.missing}: it is missing or null"},
		"null":      {"rewrite * /t/{webhook.body.none}", "{webhook.body.none}: it is missing or null"},
		"deeper":    {"rewrite * /t/{webhook.body.none.x}", "{webhook.body.none.x}: body.none is null, so it has no x"},
		"an-object": {"rewrite * /t/{webhook.body.o}", "{webhook.body.o}: expected text, a number or a boolean, but got map"},
		"empty":     {"rewrite * /t/{webhook.body.empty}", "{webhook.body.empty}: it is empty, and cannot stand in a path"},
		"dots":      {"rewrite * /t/{webhook.body.dots}/x", `a webhook's value makes ".." of a part of the path`},
		"two-dots":  {"rewrite * /t/{webhook.body.dot}{webhook.body.dot}", `a webhook's value makes ".." of a part of the path`},
		"long":      {"rewrite * /t/{webhook.body.long}", "{webhook.body.long}: it is longer than 8192 bytes"},
		"query":     {"rewrite * /t?x={webhook.body.missing}", "{webhook.body.missing}: it is missing or null"},
		"header":    {"request_header X-Tenant {webhook.header.X-Tenant}", "{webhook.header.X-Tenant}: the webhook has no such header"},
		"tenant":    {"request_header X-Tenant {webhook.tenant}", "{webhook.tenant}: the webhook has no tenant"},
		"respond":   {"respond \"{webhook.body.missing}\" 200", "{webhook.body.missing}: it is missing or null"},
		"matcher":   {"@a `{webhook.body.missing} == \"\"`\nrespond @a 200", "{webhook.body.missing}: it is missing or null"},
	}
	var lines strings.Builder
	for name, route := range routes {
		fmt.Fprintf(&lines, "route %s {\nforward {\n%s\nreverse_proxy %s\n}\n}\n", name, route.forward, app.address)
	}
	g := start(t, githubSite(lines.String()))
	g.mustPost("g-1", "push", []byte(`{"none":null,"o":{"a":1},"empty":"","dots":"..","dot":".","long":"`+strings.Repeat("x", 9000)+`"}`), nil)
	for name, route := range routes {
		if d := g.waitForState("g-1", name, "dead"); !strings.HasPrefix(d.Reason, route.reason) || d.Attempts != 1 {
			t.Errorf("%s: %+v; want the reason %s", name, d, route.reason)
		}
	}
	if n := len(app.deliveries()); n > 0 {
		t.Errorf("the app got %d requests: %s", n, app.deliveries()[0].uri)
	}
}

// Routes that are invoked are not looked at when the configuration loads, so they cannot
// have values.
func TestPlaceholdersInInvokedRoutes(t *testing.T) {
	t.Parallel()
	app := newApp(t, nil)
	g := start(t, "&(there) {\nrewrite * /t/{webhook.id}\nreverse_proxy "+app.address+"\n}\n"+githubSite("route app {\nforward {\ninvoke there\n}\n}"))
	g.mustPost("g-1", "push", []byte(`{}`), nil)
	if d := g.waitForState("g-1", "app", "dead"); d.Reason != "{webhook.id}: it cannot stand in a route that is invoked" {
		t.Errorf("%+v", d)
	}
}
