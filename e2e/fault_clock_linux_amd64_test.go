package e2e

import (
	"net/http"
	"slices"
	"testing"
	"time"
)

// The clock jumps back and forth by an hour, while events wait, are accepted and
// delivered, and while the process is away. Nothing is lost, and nothing waits
// for an hour; what came before stays known, and the order is that of arrival.
func TestFaultClock(t *testing.T) {
	t.Parallel()
	chance := dice(t)
	app := newInbox(t)
	sites := func(more string) string {
		return insignerSite(app.address+" {\n retry 72h 50ms 200ms\n}", more)
	}
	g := newGateway(t)
	clock := controlClock(g)
	g.write(queueIn, sites(""))
	g.run()
	g.mustSend("first")
	load := g.underLoad("load", 4)
	reloads := g.reloading(sites)
	f := figures{fault: "clock jumps by an hour"}
	wrong := []time.Duration{time.Hour, 0, -time.Hour, 0, -time.Hour, time.Hour, -2 * time.Hour, 0}
	for round := range rounds(1, 5) {
		for i, by := range wrong {
			app.refuse(true)
			load.untilTaken(t, time.Now())
			time.Sleep(time.Duration(chance.Int64N(int64(200 * time.Millisecond))))
			waiting := load.acknowledged()
			began := time.Now()
			if i%2 == round%2 {
				clock.set(by)
			} else {
				g.kill()
				clock.set(by)
				g.run()
			}
			load.untilTaken(t, began)
			if off := time.Until(g.clock()) - by; off.Abs() > time.Minute {
				t.Fatalf("the clock of the gateway is off by %v", off)
			}
			app.refuse(false)
			eventually(t, "what waited is delivered", func() bool {
				waiting = slices.DeleteFunc(waiting, app.has)
				return len(waiting) == 0
			})
			f.times++
			f.recoveries = append(f.recoveries, time.Since(began))
		}
	}
	t.Logf("%d reloads", reloads.stop())
	load.stop()
	g.mustSend("last")
	if newest := g.events(nil)[0]; newest.DeliveryID != "last" {
		t.Errorf("the newest event is %s, want the last", newest.DeliveryID)
	}
	before := g.stored("insigner")
	g.mustSend("first")
	g.mustSend(load.acked[max(0, len(load.acked)-200):]...)
	if n := g.stored("insigner") - before; n != 0 {
		t.Errorf("%d copies were not recognized", n)
	}
	eventually(t, "the last event is delivered", func() bool { return app.has("last") })
	app.account(t, g, load, f)
}

// clock returns what time it is for the gateway.
func (g *gateway) clock() (now time.Time) {
	g.t.Helper()
	eventually(g.t, "the gateway tells the time", func() bool {
		resp, err := g.do(http.MethodGet, "https://"+g.https+"/", nil, nil)
		if err != nil {
			return false // a reload closed the connection
		}
		now, err = http.ParseTime(resp.header.Get("Date"))
		return err == nil
	})
	return now
}

// acknowledged returns the events that were acknowledged so far.
func (l *load) acknowledged() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.acked)
}
