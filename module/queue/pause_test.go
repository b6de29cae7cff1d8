package queue_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

var shopApp = queue.RouteKey{Source: "shop", Route: "app"}

func (s *setup) pause(routes ...queue.RouteKey) {
	s.t.Helper()
	if err := s.Pause(s.t.Context(), routes...); err != nil {
		s.t.Fatal(err)
	}
}

func (s *setup) resume(routes ...queue.RouteKey) {
	s.t.Helper()
	if err := s.Resume(s.t.Context(), routes...); err != nil {
		s.t.Fatal(err)
	}
}

func TestPause(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		door := make(gate)
		a, other := app{answer: door.pass}, app{}
		s.Attach(s.config(map[string]*queue.Source{"shop": {
			Routes: map[string]*queue.Route{"app": a.route(), "other": other.route()},
		}}))
		first := s.append(newEvent(t, "shop", "app"))
		eventually(t, "the attempt", func() bool { return a.count() == 1 })
		s.pause(shopApp)
		if !s.IsPaused(shopApp) || !slices.Equal(s.Paused(), []queue.RouteKey{shopApp}) {
			t.Errorf("paused are %v", s.Paused())
		}

		// Events go on being accepted, and others delivered.
		id := s.append(newEvent(t, "shop", "app", "other"))
		eventually(t, "the other route", func() bool { return s.get(id).Delivery("other").State == queue.Delivered })
		e := s.get(id)
		if state := s.State(e, e.Delivery("app")); state != queue.Parked {
			t.Errorf("delivery of a paused route is %s", state)
		}
		if n := s.Usage().Deliveries[shopApp][queue.Parked]; n != 2 {
			t.Errorf("%d deliveries are parked, want 2", n)
		}

		// The attempt that runs ends as always.
		door.open()
		s.ended(first)
		if n := a.count(); n != 1 {
			t.Errorf("%d attempts at a paused route", n)
		}
		s.resume(shopApp)
		s.ended(id)
		if n := a.count(); n != 2 || len(s.Paused()) != 0 {
			t.Errorf("%d attempts, paused: %v", n, s.Paused())
		}
	})
}

func TestPauseSurvives(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := new(backend)
		s := newSetup(t, b)
		var a app
		cfg := s.attach(a.route())
		s.pause(shopApp)
		s.attach(a.route()) // a reload
		s.Detach(cfg)
		id := s.append(newEvent(t, "shop", "app"))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}

		s = newSetup(t, b)
		s.attach(a.route())
		next := s.append(newEvent(t, "shop", "app"))
		pass(5 * time.Second)
		if a.count() != 0 || !s.IsPaused(shopApp) {
			t.Fatalf("%d attempts; paused: %v", a.count(), s.Paused())
		}
		s.resume(shopApp)
		s.ended(id)
		s.ended(next)
	})
}

// Before the store has said which routes are paused, none runs.
func TestPauseIsNotKnownYet(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var broken atomic.Bool
		broken.Store(true)
		s := newSetup(t, &backend{wrap: func(st queue.Store) queue.Store { return &mute{st, &broken} }}, func(p *queue.Timing) {
			p.StoreRetry = 10 * time.Millisecond
		})
		var a app
		s.attach(a.route())
		id := s.append(newEvent(t, "shop", "app"))
		old := newEvent(t, "shop", "app")
		old.Deliveries[0].Due = time.Now().Add(-2 * time.Hour) // if the route counted as paused, this one would die
		s.append(old)
		pass(5 * time.Second)
		if a.count() != 0 {
			t.Fatal("attempted")
		}
		if err := s.Pause(t.Context(), shopApp); err == nil {
			t.Error("paused without knowing what is")
		}
		broken.Store(false)
		s.ended(id)
		if e := s.ended(old.ID); e.Delivery("app").State != queue.Delivered {
			t.Errorf("event: %+v", e)
		}
	})
}

// mute is a store that does not say which routes are paused.
type mute struct {
	queue.Store
	broken *atomic.Bool
}

func (m *mute) Paused() ([]queue.RouteKey, error) {
	if m.broken.Load() {
		return nil, queue.ErrUnavailable
	}
	return m.Store.Paused()
}

func TestPauseWithoutConfiguration(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		var a app
		cfg := s.attach(a.route())
		s.Detach(cfg)
		s.pause(shopApp)
		s.resume(shopApp)
		id := s.append(newEvent(t, "shop", "app"))
		pass(5 * time.Second)
		if e := s.get(id); e.Delivery("app").State != queue.Pending {
			t.Error("a configuration that was detached is at work again")
		}
	})
}

func TestPausedTooLongIsDead(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend), tidy)
		a := app{answer: func(context.Context, *queue.Event, int) queue.Result { return queue.Result{} }}
		s.attach(a.route())
		s.pause(shopApp)
		old := newEvent(t, "shop", "app")
		old.Deliveries[0].Due = time.Now().Add(-2 * time.Hour)
		id, young := s.append(old), s.append(newEvent(t, "shop", "app"))
		if d := s.ended(id).Delivery("app"); d.State != queue.Dead || d.Reason != "parked for 1h0m0s" {
			t.Errorf("delivery that was parked for two hours: %+v", d)
		}
		if d := s.get(young).Delivery("app"); d.State != queue.Pending || a.count() != 0 {
			t.Errorf("after %d attempts: %+v", a.count(), d)
		}
	})
}

// A paused route still holds the keys of its dead letters.
func TestPausedTooLongHoldsItsKey(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend), tidy)
		r := new(app).route()
		r.Hold = true
		s.attach(r)
		s.pause(shopApp)
		old := ordered(t, "a")
		old.Deliveries[0].Due = time.Now().Add(-2 * time.Hour)
		if d := s.ended(s.append(old)).Delivery("app"); d.State != queue.Dead || !d.Holds {
			t.Errorf("delivery that was parked for two hours: %+v", d)
		}
	})
}

// A pause mends nothing: when a failing route is resumed it gets one attempt.
func TestFailingRouteIsPaused(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		s.appendMany(40)
		u := newUpstream()
		r := u.route()
		r.Retry = backoff(time.Hour, 20*time.Second, time.Hour)
		s.attach(r)
		s.waitFailing()
		eventually(t, "the attempts that ran", func() bool { return s.Usage().Deliveries[shopApp][queue.Delivering] == 0 })
		before := u.count()
		s.pause(shopApp)
		s.resume(shopApp)
		eventually(t, "a probe", func() bool { return u.count() > before })
		pass(5 * time.Second)
		if n := u.count() - before; n != 1 || !s.Failing()[shopApp] {
			t.Errorf("%d attempts; the route is failing: %v", n, s.Failing())
		}
	})
}

// Attempts that ran when a route was paused count when it is resumed.
func TestAttemptsOutliveAPause(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		door := make(gate)
		a := app{answer: door.pass}
		r := a.route()
		r.Concurrency = 1
		s.attach(r)
		ids := s.appendMany(2)
		eventually(t, "an attempt", func() bool { return a.count() == 1 })
		s.pause(shopApp)
		s.resume(shopApp)
		pass(5 * time.Second)
		if a.count() != 1 {
			t.Errorf("%d attempts at once", a.count())
		}
		door.open()
		s.ended(ids[1])
	})
}
