package e2e

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
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

var label = regexp.MustCompile(`(\w+)="([^"]*)"`)

// checkLabels holds the labels to what has few values: no IDs, event types or
// addresses.
func checkLabels(t *testing.T, g *gateway) {
	t.Helper()
	values := map[string][]string{
		"source": {"insigner"},
		"route":  {"app", "down"},
		"state":  {"routed", "unrouted", "held", "uncertain", "pending", "delivering", "parked", "delivered", "dead"},
		"outcome": {"accepted", "duplicate", "held", "passed", "plain_http", "address", "method", "size", "incomplete",
			"busy", "unverified", "unavailable", "delivered", "retry", "refused", "interrupted"},
		"what": {"event", "id"},
	}
	lines := 0
	for line := range strings.Lines(g.adminText("/metrics")) {
		if !strings.HasPrefix(line, prefix) {
			continue
		}
		lines++
		for _, match := range label.FindAllStringSubmatch(line, -1) {
			if name, value := match[1], match[2]; name != "le" && !slices.Contains(values[name], value) {
				t.Errorf("label %s has the value %q", name, value)
			}
		}
	}
	if lines == 0 {
		t.Error("there are no metrics of the gateway")
	}
}
