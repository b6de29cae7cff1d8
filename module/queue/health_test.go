package queue_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// upstream fails until it is up.
type upstream struct {
	app
	up atomic.Bool
}

func newUpstream() *upstream {
	u := new(upstream)
	u.answer = func(context.Context, *queue.Event, int) queue.Result {
		if u.up.Load() {
			time.Sleep(time.Millisecond)
			return queue.Result{Outcome: queue.Succeeded, Status: 200}
		}
		return unavailable
	}
	return u
}

// untouched returns how many of the events were never tried.
func (s *setup) untouched(ids []queue.ID) (n int) {
	s.t.Helper()
	for _, id := range ids {
		if s.get(id).Delivery("app").Attempts == 0 {
			n++
		}
	}
	return n
}

func (s *setup) appendMany(n int) (ids []queue.ID) {
	s.t.Helper()
	for range n {
		ids = append(ids, s.append(newEvent(s.t, "shop", "app")))
	}
	return ids
}

func (s *setup) waitFailing() {
	s.t.Helper()
	eventually(s.t, "the route is failing", func() bool { return s.Failing()[queue.RouteKey{Source: "shop", Route: "app"}] })
}

// A failing route costs next to nothing, however much is due, and goes back to
// full speed when its upstream does.
func TestFailingRouteIsProbed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var claims atomic.Int32
		b := &backend{wrap: func(s queue.Store) queue.Store {
			return &faulty{Store: s, claimed: func() { claims.Add(1) }}
		}}
		s := newSetup(t, b)
		ids := s.appendMany(200)
		u := newUpstream()
		r := u.route()
		r.Retry = backoff(time.Hour, 20*time.Millisecond, 100*time.Millisecond)
		s.attach(r)
		s.waitFailing()
		u.mu.Lock()
		u.most = 0
		u.mu.Unlock()
		attempts, claimed := u.count(), claims.Load()
		pass(500 * time.Millisecond)
		if n := u.count() - attempts; n < 3 || n > 12 || u.most > 1 {
			t.Errorf("%d probes in half a second, %d at once", n, u.most)
		}
		if n := claims.Load() - claimed; n > 15 {
			t.Errorf("%d claims for %d probes", n, u.count()-attempts)
		}
		if n := s.untouched(ids); n < 200-u.count() || n < 150 {
			t.Errorf("%d of 200 deliveries are untouched after %d attempts", n, u.count())
		}

		u.up.Store(true)
		for _, id := range ids {
			s.ended(id)
		}
		if u.most < 2 {
			t.Error("there was one attempt at a time to the end")
		}
		if s.Failing()[queue.RouteKey{Source: "shop", Route: "app"}] {
			t.Error("the route is failing still")
		}
		s.watch.see(func() {
			if !slices.Equal(s.watch.failing, []string{unavailable.Reason}) || s.watch.recovered != 1 {
				t.Errorf("observed that it failed with %q, and recovered %d times", s.watch.failing, s.watch.recovered)
			}
		})
	})
}

// Probes go to the delivery that is due first: none is tried twice before the others.
func TestProbesGoRound(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		ids := s.appendMany(20)
		u := newUpstream()
		r := u.route()
		r.Concurrency = 1
		s.attach(r)
		eventually(t, "attempts", func() bool { return u.count() >= 20 })
		u.mu.Lock()
		defer u.mu.Unlock()
		first := make(map[queue.ID]bool)
		for _, id := range u.got[:20] {
			first[id] = true
		}
		if len(first) != 20 {
			t.Errorf("20 attempts went to %d of %d deliveries", len(first), len(ids))
		}
	})
}

// An outcome that is about an event, or that comes seldom, says nothing about the
// upstream.
func TestHealthyRoute(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		var n atomic.Int32
		a := app{answer: func(context.Context, *queue.Event, int) queue.Result {
			switch i := n.Add(1); {
			case i <= 10:
				return queue.Result{Outcome: queue.Refused, Status: 400, Reason: "400 Bad Request"}
			case i%5 == 0 && i > 40: // four failures in a row, then a success
				return queue.Result{Outcome: queue.Succeeded, Status: 200}
			case i%5 == 0: // or a refusal
				return queue.Result{Outcome: queue.Refused, Status: 400, Reason: "400 Bad Request"}
			}
			return unavailable
		}}
		r := a.route()
		r.Concurrency = 1
		s.attach(r)
		for _, id := range s.appendMany(30) {
			s.ended(id)
		}
		s.watch.see(func() {
			if s.watch.failing != nil || s.watch.recovered != 0 {
				t.Errorf("after %d attempts: failing %q, recovered %d times", n.Load(), s.watch.failing, s.watch.recovered)
			}
		})
	})
}

// Attempts that ran when the route became a failing one do not make the pauses
// longer.
func TestFailuresAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		door := make(gate)
		a := app{answer: func(ctx context.Context, e *queue.Event, attempt int) queue.Result {
			door.pass(ctx, e, attempt)
			return unavailable
		}}
		r := a.route()
		r.Concurrency, r.Retry = 16, backoff(time.Hour, 20*time.Millisecond, time.Hour)
		s.appendMany(40)
		s.attach(r)
		eventually(t, "sixteen attempts", func() bool { return a.count() == 16 })
		door.open()
		eventually(t, "a probe", func() bool { return a.count() > 16 })
	})
}

// A reload keeps the state of the route, but has it probed at once.
func TestFailingRouteIsReloaded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		ids := s.appendMany(40)
		u := newUpstream()
		r := u.route()
		r.Retry = backoff(time.Hour, 20*time.Second, time.Hour)
		s.attach(r)
		s.waitFailing()
		eventually(t, "the attempts that ran", func() bool {
			return s.Usage().Deliveries[queue.RouteKey{Source: "shop", Route: "app"}][queue.Delivering] == 0
		})
		before := u.count()
		s.attach(r)
		eventually(t, "a probe", func() bool { return u.count() == before+1 })
		pass(5 * time.Second)
		if n := u.count() - before; n != 1 || !s.Failing()[queue.RouteKey{Source: "shop", Route: "app"}] {
			t.Errorf("%d probes after a reload", n)
		}
		u.up.Store(true)
		s.attach(r)
		eventually(t, "all that was untouched", func() bool { return u.count() >= len(ids) })
	})
}

// A replay has a failing route probed at once, too.
func TestReplayToAFailingRoute(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		u := newUpstream()
		r := u.route()
		r.Retry = backoff(time.Hour, time.Minute, time.Hour)
		s.attach(r)
		ids := s.appendMany(10)
		s.waitFailing()
		u.up.Store(true)
		eventually(t, "the replay", func() bool { // the attempt that failed is being recorded
			n, err := s.operate(ids[9], queue.Replay{Pick: every})
			if err != nil && !errors.Is(err, queue.LeftBusy) {
				t.Fatal(err)
			}
			return n == 1
		})
		s.ended(ids[9])
	})
}

// The upstream may ask for a longer pause between probes.
func TestFailingRouteKeepsRetryAfter(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		answer := unavailable
		answer.RetryAfter = time.Minute
		a := app{answer: failing(answer)}
		r := a.route()
		r.Concurrency = 1
		s.appendMany(20)
		s.attach(r)
		s.waitFailing()
		pass(5 * time.Second)
		if n := a.count(); n != 5 {
			t.Errorf("%d attempts, with an upstream that asked for a pause", n)
		}
	})
}

// Deliveries that nobody has tried are given up after the time for retries. A delivery
// that comes after that is tried.
func TestFailingRouteGivesUp(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		ids := s.appendMany(40)
		u := newUpstream()
		r := u.route()
		lasts := 100 * time.Millisecond
		r.Retry = backoff(lasts, 20*time.Millisecond, 200*time.Millisecond)
		s.attach(r)
		s.waitFailing()
		untouched := 0
		for _, id := range ids {
			d := s.ended(id).Delivery("app")
			if d.State != queue.Dead || d.Reason != "gave up after 100ms: 503 Service Unavailable" || d.Ended.Sub(d.Queued) < lasts {
				t.Errorf("after the time for retries: %+v", d)
			}
			if d.Attempts == 0 {
				untouched++
			}
		}
		if untouched < 20 {
			t.Errorf("%d of 40 deliveries were given up without an attempt", untouched)
		}
		u.up.Store(true)
		if d := s.ended(s.append(newEvent(t, "shop", "app"))).Delivery("app"); d.State != queue.Delivered {
			t.Errorf("later: %+v", d)
		}
	})
}

// Giving up needs no probe. Deliveries that were tried, which are due behind all others,
// are given up in time, too.
func TestFailingRouteGivesUpInTime(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend), tidy)
		answer := unavailable
		answer.RetryAfter = time.Hour
		a := app{answer: failing(answer)}
		r := a.route()
		lasts := 2 * time.Second
		r.Retry = backoff(lasts, time.Millisecond, 10*time.Millisecond)
		ids := s.appendMany(40)
		other := s.append(newEvent(t, "shop", "other"))
		s.attach(r)
		s.waitFailing()
		tried := 0
		for _, id := range ids {
			d := s.ended(id).Delivery("app")
			took := d.Ended.Sub(d.Queued)
			if d.State != queue.Dead || d.Reason != "gave up after 2s: 503 Service Unavailable" ||
				took < lasts || took >= 2*lasts {
				t.Errorf("after %v: %+v", took, d)
			}
			if d.Attempts > 0 {
				tried++
			}
		}
		if tried < 5 || tried > 20 {
			t.Errorf("%d of 40 deliveries were tried", tried)
		}
		if d := s.get(other).Delivery("other"); d.State != queue.Pending {
			t.Errorf("of another route: %+v", d)
		}
	})
}
