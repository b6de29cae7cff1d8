package queue_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue/memory"
)

// api answers calls that check one-time proofs: with its answers in turn, and then with
// the last one.
type api struct {
	mu      sync.Mutex
	answers []queue.Verdict
	calls   int
	during  func(e *queue.Event) // run by each call
}

func (a *api) check(_ context.Context, e *queue.Event) queue.Verdict {
	if a.during != nil {
		a.during(e)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	answer := a.answers[min(a.calls, len(a.answers)-1)]
	a.calls++
	return answer
}

func (a *api) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.calls
}

var (
	genuine = queue.Verdict{Judgment: queue.Genuine}
	forged  = queue.Verdict{Judgment: queue.Forged, Reason: "unknown token"}
	used    = queue.Verdict{Judgment: queue.Used, Reason: "not valid"}
	unsent  = queue.Verdict{Judgment: queue.Undecided, Reason: "connection refused"}
	unheard = queue.Verdict{Judgment: queue.Undecided, Sent: true, Reason: "timeout"}
)

// hasty checks held events again soon.
func hasty(p *queue.Timing) {
	p.FirstRecheck, p.LongestRecheck = 100*time.Millisecond, 200*time.Millisecond
}

// checked attaches the source sign, whose proofs the api checks.
func (s *setup) checked(a *api, destination *app, routes ...string) {
	s.Attach(s.config(map[string]*queue.Source{"sign": {
		Window: time.Hour, Entries: 10,
		Routes: map[string]*queue.Route{"app": destination.route()},
		Check:  a.check,
		Route:  func(*queue.Event) []string { return routes },
	}}))
}

// hold accepts an event of the source sign the way a request does.
func (s *setup) hold() (queue.ID, queue.Judgment) {
	s.t.Helper()
	return s.holdFor(0)
}

// holdFor is hold of a request that gets on slowly once its event is held.
func (s *setup) holdFor(slow time.Duration) (queue.ID, queue.Judgment) {
	s.t.Helper()
	flight, _, err := s.Enter(s.t.Context(), "sign", queue.Identity{Key: key(1)})
	if err != nil || flight == nil {
		s.t.Fatalf("entering: %v, %v", flight, err)
	}
	defer flight.Release()
	e := newEvent(s.t, "sign")
	e.Dedup = flight.Entry(e.ID, time.Now().Add(time.Hour))
	verdict, err := s.Hold(s.t.Context(), e)
	if err != nil {
		s.t.Fatal(err)
	}
	pass(slow)
	if verdict.Judgment != queue.Forged {
		flight.Keep(e.ID, e.Dedup.Until)
	}
	return e.ID, verdict.Judgment
}

// gone waits until there is no such event.
func (s *setup) gone(id queue.ID) {
	s.t.Helper()
	eventually(s.t, "the event to be removed", func() bool {
		_, err := s.Get(s.t.Context(), id)
		return errors.Is(err, queue.ErrNotFound)
	})
}

func TestHold(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		var destination app
		proofs := &api{answers: []queue.Verdict{genuine}}
		proofs.during = func(e *queue.Event) {
			stored, err := s.Get(context.Background(), e.ID)
			if err != nil || stored.State != queue.Held || !stored.Check.Sent || stored.Check.Calls != 1 {
				t.Errorf("stored before the first call: %+v, %v", stored, err)
			}
		}
		s.checked(proofs, &destination, "app")
		id, judgment := s.hold()
		if judgment != queue.Genuine {
			t.Fatalf("found %s", judgment)
		}
		e := s.ended(id)
		if e.State != queue.Routed || e.Delivery("app").State != queue.Delivered || e.Check != (queue.Check{}) {
			t.Errorf("genuine event: %+v", e)
		}
		if proofs.count() != 1 || destination.count() != 1 {
			t.Errorf("%d calls, %d deliveries", proofs.count(), destination.count())
		}
	})
}

func TestHoldUnrouted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		s.checked(&api{answers: []queue.Verdict{genuine}}, new(app))
		if id, _ := s.hold(); s.get(id).State != queue.Unrouted {
			t.Errorf("genuine event that no route takes: %+v", s.get(id))
		}
	})
}

func TestHoldForged(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for _, verdict := range []queue.Verdict{forged, used} {
			s := newSetup(t, new(backend), hasty)
			proofs := &api{answers: []queue.Verdict{verdict}}
			s.checked(proofs, new(app), "app")
			id, judgment := s.hold()
			if judgment != queue.Forged {
				t.Fatalf("found %s", judgment)
			}
			if _, err := s.Get(t.Context(), id); !errors.Is(err, queue.ErrNotFound) {
				t.Errorf("getting a forged event: %v", err)
			}
			if _, again := s.hold(); again != queue.Forged || proofs.count() != 2 {
				t.Errorf("the second copy was found %s after %d calls", again, proofs.count())
			}
		}
	})
}

// TestForgedBeforeItIsKept has the verdict overtake the request: nothing is remembered of
// a forged event.
func TestForgedBeforeItIsKept(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend), hasty)
		proofs := &api{answers: []queue.Verdict{unsent, forged, genuine}}
		s.checked(proofs, new(app), "app")
		id, judgment := s.holdFor(time.Second)
		if judgment != queue.Undecided || proofs.count() != 2 {
			t.Fatalf("found %s, %d calls", judgment, proofs.count())
		}
		s.gone(id)
		if _, again := s.hold(); again != queue.Genuine {
			t.Errorf("the second copy was found %s", again)
		}
	})
}

func TestHeldIsCheckedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		answers []queue.Verdict
		want    queue.EventState // "" = removed
		reason  string
	}{
		"genuine after dial errors": {[]queue.Verdict{unsent, unsent, unsent, genuine}, queue.Routed, ""},
		"genuine after a timeout":   {[]queue.Verdict{unheard, genuine}, queue.Routed, ""},
		"forged after dial error":   {[]queue.Verdict{unsent, forged}, "", ""},
		"used after dial errors":    {[]queue.Verdict{unsent, unsent, used}, "", ""},
		"used after a timeout":      {[]queue.Verdict{unheard, used}, queue.Uncertain, "not valid"},
		"used after both":           {[]queue.Verdict{unheard, unsent, used}, queue.Uncertain, "not valid"},
		"forged after a timeout":    {[]queue.Verdict{unheard, forged}, "", ""},
	} {
		runInBubble(t, name, func(t *testing.T) {
			s := newSetup(t, new(backend), hasty)
			var destination app
			proofs := &api{answers: c.answers}
			proofs.during = func(e *queue.Event) {
				stored, err := s.Get(context.Background(), e.ID)
				if err != nil || !stored.Check.Sent {
					t.Errorf("stored before a call: %+v, %v", stored, err)
				}
			}
			s.checked(proofs, &destination, "app")
			id, judgment := s.hold()
			if judgment != queue.Undecided {
				t.Fatalf("found %s", judgment)
			}
			if c.want == "" {
				s.gone(id)
				s.released().Release() // its delivery ID is free again
				return
			}
			e := s.ended(id)
			if e.State != c.want || e.Check.Reason != c.reason {
				t.Errorf("event: %+v", e)
			}
			if delivered := destination.count() == 1; delivered != (c.want == queue.Routed) {
				t.Errorf("%d deliveries", destination.count())
			}
			if c.want == queue.Uncertain && e.Check.Ended.IsZero() {
				t.Error("nobody knows since when the event is uncertain")
			}
			if proofs.count() != len(c.answers) {
				t.Errorf("%d calls", proofs.count())
			}
		})
	}
}

// released fails the test unless the delivery ID of held events is free.
func (s *setup) released() *queue.Flight {
	s.t.Helper()
	flight, seen, err := s.Enter(s.t.Context(), "sign", queue.Identity{Key: key(1)})
	if err != nil || flight == nil {
		s.t.Fatalf("the delivery is a duplicate of %v, %v", seen, err)
	}
	return flight
}

func TestHeldPauses(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend), func(p *queue.Timing) { p.FirstRecheck, p.LongestRecheck = 40*time.Millisecond, 80*time.Millisecond })
		var mu sync.Mutex
		var calls []time.Time
		proofs := &api{answers: []queue.Verdict{unheard}}
		proofs.during = func(*queue.Event) {
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, time.Now())
		}
		s.checked(proofs, new(app), "app")
		id, _ := s.hold()
		eventually(t, "five calls", func() bool { return proofs.count() == 5 })
		mu.Lock()
		defer mu.Unlock()
		for i, pause := range []time.Duration{40, 80, 80, 80} {
			if got := calls[i+1].Sub(calls[i]); got < pause*time.Millisecond || got > 2*time.Second {
				t.Errorf("pause %d is %v", i, got)
			}
		}
		if e := s.get(id); e.State != queue.Held || e.Check.Reason != "timeout" {
			t.Errorf("event: %+v", e)
		}
	})
}

func TestHeldIsGivenUp(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend), hasty, func(p *queue.Timing) { p.CheckFor = 100 * time.Millisecond })
		s.checked(&api{answers: []queue.Verdict{unsent}}, new(app), "app")
		id, _ := s.hold()
		if e := s.ended(id); e.State != queue.Uncertain || e.Check.Reason != "gave up after 100ms: connection refused" {
			t.Errorf("event: %+v", e)
		}
	})
}

// Whatever the api answers after a crash during the first call, the event is
// neither lost nor delivered unverified.
func TestCrashDuringTheFirstCall(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for _, c := range []struct {
			after queue.Verdict
			want  queue.EventState
		}{{genuine, queue.Routed}, {used, queue.Uncertain}} {
			before := newSetup(t, new(backend), hasty)
			var crashed *memory.Backend
			proofs := &api{answers: []queue.Verdict{genuine}}
			proofs.during = func(*queue.Event) { crashed = before.backend.Copy() }
			before.checked(proofs, new(app), "app")
			id, _ := before.hold()

			after := newSetup(t, &backend{Backend: crashed}, hasty)
			var destination app
			after.checked(&api{answers: []queue.Verdict{c.after}}, &destination, "app")
			// The provider sends it again.
			if _, seen, err := after.Enter(t.Context(), "sign", queue.Identity{Key: key(1)}); seen != id || err != nil {
				t.Errorf("a copy after the crash is one of %v, %v", seen, err)
			}
			if e := after.ended(id); e.State != c.want {
				t.Errorf("event that was found %s after the crash: %+v", c.after.Judgment, e)
			}
		}
	})
}

func TestHoldWhileTheStoreFails(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var broken atomic.Bool
		b := &backend{wrap: func(s queue.Store) queue.Store {
			return &faulty{Store: s, update: func() error {
				if broken.Load() {
					return queue.ErrUnavailable
				}
				return nil
			}}
		}}
		s := newSetup(t, b, func(p *queue.Timing) { p.CheckTimeout, p.StoreRetry = 30*time.Millisecond, 16*time.Millisecond })
		proofs := &api{answers: []queue.Verdict{genuine, used}}
		s.checked(proofs, new(app), "app")
		broken.Store(true)
		id, judgment := s.hold()
		if judgment != queue.Genuine || s.get(id).State != queue.Held {
			t.Errorf("found %s, %s", judgment, s.get(id).State)
		}
		broken.Store(false)
		if e := s.ended(id); e.State != queue.Routed || proofs.count() != 1 {
			t.Errorf("after %d calls: %+v", proofs.count(), e)
		}
	})
}

func TestHeldWithoutItsSource(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend), hasty)
		s.Attach(s.config(nil))
		e := newEvent(t, "sign")
		if v, err := s.Hold(t.Context(), e); v.Judgment != queue.Undecided || err != nil {
			t.Fatalf("held: %+v, %v", v, err)
		}
		var destination app
		s.checked(&api{answers: []queue.Verdict{genuine}}, &destination, "app")
		if e := s.ended(e.ID); e.Delivery("app").State != queue.Delivered {
			t.Errorf("event: %+v", e)
		}
	})
}

func TestHeldPanics(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend), hasty)
		var calls atomic.Int32
		proofs := &api{answers: []queue.Verdict{used}}
		proofs.during = func(*queue.Event) {
			if calls.Add(1) == 1 {
				panic("no")
			}
		}
		s.checked(proofs, new(app), "app")
		id, judgment := s.hold()
		if judgment != queue.Undecided {
			t.Errorf("found %s", judgment)
		}
		if e := s.ended(id); e.State != queue.Uncertain {
			t.Errorf("event: %+v", e)
		}
	})
}
