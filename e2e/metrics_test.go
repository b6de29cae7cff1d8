package e2e

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const prefix = "caddy_webhook_gateway_"

func TestMetrics(t *testing.T) {
	t.Parallel()
	app := newApp(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(idOf(r), "refused") {
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	down := unstartedApp(t, freeAddress(t), nil)
	sites := insignerSite(app.address, fmt.Sprintf("route down `id == \"delivery-1\"` %s", down.address))
	g := start(t, sites)
	g.mustSend("delivery-1", "delivery-2", "delivery-2", "refused-1")
	header, _ := insigner("delivery-3")
	if status, _ := g.post("/hook", header, []byte(`{"id":"delivery-3"}`)); status != http.StatusUnauthorized {
		t.Errorf("a forged event is answered with %d", status)
	}
	want := map[string]float64{
		`requests_total{outcome="accepted",source="insigner"}`:              3,
		`requests_total{outcome="duplicate",source="insigner"}`:             1,
		`requests_total{outcome="unverified",source="insigner"}`:            1,
		`secret_matches_total{position="1",source="insigner"}`:              4,
		`ack_seconds_count{source="insigner"}`:                              3,
		`queue_events{source="insigner",state="routed"}`:                    3,
		`queue_deliveries{route="app",source="insigner",state="delivered"}`: 2,
		`queue_deliveries{route="app",source="insigner",state="dead"}`:      1,
		`queue_deliveries{route="down",source="insigner",state="pending"}`:  1,
		`attempts_total{outcome="delivered",route="app",source="insigner"}`: 2,
		`attempts_total{outcome="refused",route="app",source="insigner"}`:   1,
		`attempt_seconds_count{route="app",source="insigner"}`:              3,
		`delivery_seconds_count{route="app",source="insigner"}`:             2,
		`route_failing{route="app",source="insigner"}`:                      0,
		`dead_letters_total{route="app",source="insigner"}`:                 1,
		`dedup_entries{source="insigner"}`:                                  3,
	}
	check := func() {
		t.Helper()
		for name, value := range want {
			eventually(t, fmt.Sprintf("%s is %v", name, value), func() bool { return g.metric(prefix+name) == value })
		}
	}
	check()
	eventually(t, "the failed attempt is counted", func() bool {
		return g.metric(prefix+`attempts_total{outcome="retry",route="down",source="insigner"}`) >= 1
	})
	eventually(t, "the age of what waits is shown", func() bool {
		n := g.metric(prefix + `queue_oldest_seconds{route="down",source="insigner",state="pending"}`)
		return n > 0 && n < 60
	})
	if n := g.metric(prefix + "queue_bytes"); n < 3*88 || n > 10_000 {
		t.Errorf("three events take %v bytes", n)
	}
	g.mustLoad(strings.Replace(sites, "route down", "respond 200\nroute down", 1))
	check() // counters go on over a reload
	g.mustSend("delivery-4")
	want[`requests_total{outcome="accepted",source="insigner"}`]++
	want[`secret_matches_total{position="1",source="insigner"}`]++
	want[`ack_seconds_count{source="insigner"}`]++
	want[`queue_events{source="insigner",state="routed"}`]++
	want[`queue_deliveries{route="app",source="insigner",state="delivered"}`]++
	want[`attempts_total{outcome="delivered",route="app",source="insigner"}`]++
	want[`attempt_seconds_count{route="app",source="insigner"}`]++
	want[`delivery_seconds_count{route="app",source="insigner"}`]++
	want[`dedup_entries{source="insigner"}`]++
	check()
	checkLabels(t, g)
}

// fewValues are the values that labels have in these tests, all of them but for
// the names of sources and routes.
var fewValues = map[string][]string{
	"source": {"insigner"},
	"route":  {"app", "down"},
	"state":  {"routed", "unrouted", "held", "uncertain", "pending", "delivering", "parked", "delivered", "dead"},
	"outcome": {"accepted", "duplicate", "held", "passed", "handshake", "plain_http", "address", "method", "size", "incomplete",
		"busy", "unverified", "unavailable", "delivered", "retry", "refused", "interrupted"},
	"what":     {"event", "id"},
	"position": {"1"},
}

var label = regexp.MustCompile(`(\w+)="([^"]*)"`)

// checkLabels holds the labels to what has few values: no IDs, event types or
// addresses.
func checkLabels(t *testing.T, g *gateway) {
	t.Helper()
	lines := 0
	for line := range strings.Lines(g.adminText("/metrics")) {
		if !strings.HasPrefix(line, prefix) {
			continue
		}
		lines++
		for _, match := range label.FindAllStringSubmatch(line, -1) {
			if name, value := match[1], match[2]; name != "le" && !slices.Contains(fewValues[name], value) {
				t.Errorf("label %s has the value %q", name, value)
			}
		}
	}
	if lines == 0 {
		t.Error("there are no metrics of the gateway")
	}
}

// TestSecretMatches rotates secrets of each kind. What is not accepted does not
// count.
func TestSecretMatches(t *testing.T) {
	t.Parallel()
	api := newTokenAPI(t)
	site := fmt.Sprintf(`{$HTTPS} {
	webhook_gateway /stripe {
		provider stripe {env.NEW} {env.OLD}
	}
	webhook_gateway /fusesign {
		provider fusesign {env.NEW} {env.OLD}
	}
	webhook_gateway /query {
		source query
		provider insertsign {
			token query key {env.NEW} {env.OLD}
		}
	}
	webhook_gateway /both {
		source both
		provider github {env.OLD} {env.NEW} {
			token query key {env.NEW}
		}
	}
	webhook_gateway /ignisign {
		provider ignisign {
			app_id %s
			app_env TEST
			api_key %s %s
			api_url %s
		}
		route app 127.0.0.1:1
	}
	respond 200
}
`, ignisignApp, oldSecret, ignisignKey, api.URL)
	g := start(t, site, "NEW="+newSecret, "OLD="+oldSecret)
	now, n := time.Now(), 0
	post := func(path string, want int, header func(body []byte) http.Header) {
		t.Helper()
		n++
		body := fmt.Appendf(nil, `{"id":"%d","type":"t"}`, n)
		if status, answer := g.post(path, header(body), body); status != want {
			t.Errorf("%s is answered with %d %s, want %d", path, status, answer, want)
		}
	}
	stripeBy := func(at time.Time, secret string) func([]byte) http.Header {
		return func(body []byte) http.Header { return jsonHeader("Stripe-Signature", stripe(at, body, secret)) }
	}
	with := func(headers ...string) func([]byte) http.Header {
		return func([]byte) http.Header { return jsonHeader(headers...) }
	}
	post("/stripe", 200, stripeBy(now, newSecret))
	post("/stripe", 200, stripeBy(now, oldSecret))
	post("/stripe", 200, stripeBy(now, oldSecret))
	post("/stripe", 401, stripeBy(now.Add(-time.Hour), oldSecret))
	post("/stripe", 401, stripeBy(now, "other"))
	post("/fusesign", 200, with("Fuse-Signature", oldSecret))
	post("/fusesign", 401, with("Fuse-Signature", "other"))
	post("/query?key="+oldSecret, 200, with())
	post("/query?key=other", 401, with())
	post("/both?key="+newSecret, 200, func(body []byte) http.Header { return github(newSecret, "g-1", "push", body) })
	post("/both?key="+newSecret, 401, func(body []byte) http.Header { return github("other", "g-2", "push", body) })
	header, body := ignisignParty(api.URL).webhook("1")
	if status, answer := g.post("/ignisign", header, body); status != http.StatusOK {
		t.Errorf("ignisign is answered with %d %s", status, answer)
	}
	for source, want := range map[string][]float64{
		"stripe": {1, 2}, "fusesign": {0, 1}, "query": {0, 1}, "both": {0, 1}, "ignisign": {0, 1},
	} {
		for i, value := range want {
			name := fmt.Sprintf(`%ssecret_matches_total{position="%d",source=%q}`, prefix, i+1, source)
			if got := g.metric(name); got != value || !strings.Contains(g.adminText("/metrics"), name) {
				t.Errorf("%s is %v, want %v", name, got, value)
			}
		}
	}
}
