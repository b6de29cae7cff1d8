package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// Providers wait for the answers of an app that hangs, dies in the middle of its answer, and
// answers after the deadline, while the gateway is killed and reloaded. Each answer comes
// in time, and each event arrives.
func TestFaultAsked(t *testing.T) {
	t.Parallel()
	chance := dice(t)
	const deadline = 200 * time.Millisecond
	app := newInbox(t)
	front := newApp(t, app.unreliable(deadline))
	sites := func(more string) string {
		return insignerSite(front.address+quick, "answer_from app "+deadline.String()+"\n"+more)
	}
	g := start(t, sites(""))
	load := g.underLoad("load", 8)
	timed := g.outside().timing(t, deadline+2*time.Second)
	reloads := g.reloading(sites)
	f := figures{fault: "SIGKILL while providers wait for the app", times: rounds(2, 50)}
	for range f.times {
		load.untilTaken(t, time.Now())
		time.Sleep(time.Duration(chance.Int64N(int64(time.Second))))
		g.kill()
		began := time.Now()
		g.run()
		f.recoveries = append(f.recoveries, load.untilTaken(t, began))
	}
	for _, outcome := range []string{"app", "retry", "deadline"} {
		eventually(t, "an answer counts as "+outcome, func() bool {
			return g.metric(fmt.Sprintf(`caddy_webhook_gateway_answers_total{outcome=%q,source="insigner"}`, outcome)) > 0
		})
	}
	t.Logf("%d reloads, %d answers were timed", reloads.stop(), timed())
	app.account(t, g, load, f)
}

// unreliable answers for the inbox: in time, too late, not to the end, or not at all.
func (i *inbox) unreliable(deadline time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch rand.IntN(20) {
		case 0:
			cut("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")(w, r)
			return
		case 1:
			cut("")(w, r)
			return
		case 2:
			time.Sleep(deadline + rand.N(2*deadline))
		case 3:
			time.Sleep(deadline) // at the very moment
		}
		i.ServeHTTP(w, r)
	}
}

// timing sends one event after the other, each of which must be answered in time unless
// the gateway is down. The function that it returns ends that, and tells how many were
// answered.
func (g *gateway) timing(t *testing.T, longest time.Duration) func() int {
	var quit atomic.Bool
	answered := make(chan int)
	go func() {
		n := 0
		for i := 0; !quit.Load(); i++ {
			began := time.Now()
			resp, err := g.send(fmt.Sprintf("timed-%d", i))
			switch took := time.Since(began); {
			case err != nil:
				time.Sleep(10 * time.Millisecond)
			case took > longest:
				t.Errorf("an answer took %v", took)
			case resp.status == http.StatusOK:
				n++
			}
		}
		answered <- n
	}()
	return func() int {
		quit.Store(true)
		return <-answered
	}
}
