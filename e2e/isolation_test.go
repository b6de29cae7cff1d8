package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// A route beside a dead and a slow one is as fast as one that is alone, and so
// is the acknowledgement. The two take turns, so that whatever else the machine
// does costs both the same.
func TestIsolation(t *testing.T) {
	t.Parallel()
	const backlog, turns = 400, 100
	var mu sync.Mutex
	came := make(map[string]time.Time)
	fast := newApp(t, func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		came[idOf(r)] = time.Now()
	})
	release := make(chan struct{})
	slow := newApp(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	dead := unstartedApp(t, freeAddress(t), nil)
	g := start(t, fmt.Sprintf(`{$HTTPS} {
	webhook_gateway /alone {
		source alone
		provider insigner %[1]s
		route fast %[2]s
	}
	webhook_gateway /crowded {
		source crowded
		provider insigner %[1]s
		route dead %[3]s%[5]s
		route slow %[4]s
		route fast %[2]s
	}
}
`, insignerSecret, fast.address, dead.address, slow.address, quick))
	send := func(path, id string) (acked time.Duration) {
		header, body := insigner(id)
		began := time.Now()
		if status, text := g.post(path, header, body); status != http.StatusOK {
			t.Fatalf("event %s is answered with %d %s", id, status, text)
		}
		return time.Since(began)
	}
	for n := range backlog {
		send("/crowded", fmt.Sprintf("backlog-%d", n))
	}
	slow.waitFor(t, 64)
	eventually(t, "the dead route is failing", func() bool {
		return g.metric(prefix+`route_failing{route="dead",source="crowded"}`) == 1
	})
	g.settle("crowded", "fast")

	acks, latencies := make(map[string][]time.Duration), make(map[string][]time.Duration)
	for n := range turns {
		for _, path := range []string{"/alone", "/crowded"} {
			id := fmt.Sprintf("turn-%d%s", n, path)
			began := time.Now()
			acks[path] = append(acks[path], send(path, id))
			var at time.Time
			for deadline := began.Add(patience); at.IsZero() && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
				mu.Lock()
				at = came[id]
				mu.Unlock()
			}
			latencies[path] = append(latencies[path], at.Sub(began))
		}
	}
	for what, times := range map[string]map[string][]time.Duration{"acknowledged": acks, "delivered": latencies} {
		alone, crowded := median(times["/alone"]), median(times["/crowded"])
		t.Logf("%s after %v alone, %v beside a dead and a slow route", what, alone, crowded)
		if crowded > 2*alone {
			t.Errorf("%s after %v alone, %v beside a dead and a slow route", what, alone, crowded)
		}
	}
	if n := g.waiting("crowded", "slow") + g.waiting("crowded", "dead"); n != 2*(backlog+turns) {
		t.Errorf("%v deliveries wait for the other routes", n)
	}
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}
