package e2e

import (
	"testing"
	"time"
)

// The process is killed at random moments, some of them while it is starting,
// with events coming in and going out, under a configuration that changes all
// the time.
func TestFaultKill(t *testing.T) {
	t.Parallel()
	chance := dice(t)
	moment := func(longest time.Duration) { time.Sleep(time.Duration(chance.Int64N(int64(longest)))) }
	app := newInbox(t)
	sites := func(more string) string { return insignerSite(app.address+quick, more) }
	g := start(t, sites(""))
	load := g.underLoad("load", 8)
	reloads := g.reloading(sites)
	f := figures{fault: "SIGKILL", times: rounds(4, 200)}
	for range f.times {
		load.untilTaken(t, time.Now())
		moment(300 * time.Millisecond)
		g.kill()
		began := time.Now()
		if chance.IntN(4) == 0 {
			g.spawn("run", "--config", g.config)
			moment(time.Second)
			g.kill()
			began = time.Now()
		}
		g.run()
		f.recoveries = append(f.recoveries, load.untilTaken(t, began))
	}
	t.Logf("%d reloads", reloads.stop())
	app.account(t, g, load, f)

	delivered := app.total()
	again := load.acked[max(0, len(load.acked)-500):]
	g.mustSend(again...)
	if n := g.metric(`caddy_webhook_gateway_requests_total{outcome="duplicate",source="insigner"}`); n < float64(len(again)) {
		t.Errorf("%v requests count as duplicates, want %d at least", n, len(again))
	}
	g.mustSend("afterwards")
	eventually(t, "the last event is delivered", func() bool { return app.has("afterwards") })
	g.settle("insigner", "app")
	if n := app.total() - delivered; n != 1 {
		t.Errorf("copies of acknowledged events led to %d deliveries", n-1)
	}
}
