package queue_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// said is an answer that counts how often it was freed.
type said struct{ freed *atomic.Int32 }

func (s said) Free() { s.freed.Add(1) }

// asked is an app whose answers somebody may wait for.
type asked struct {
	app
	freed atomic.Int32 // answers
	made  atomic.Int32
	keep  bool
}

func (a *asked) ask(ctx context.Context, e *queue.Event, attempt int, waits func() bool) queue.Result {
	result := a.deliver(ctx, e, attempt)
	if a.keep && result.Status > 0 {
		a.made.Add(1)
		result.Answer = said{&a.freed}
	}
	return result
}

func (a *asked) route() *queue.Route {
	r := a.app.route()
	r.Ask = a.ask
	return r
}

// ask appends an event whose sender waits for two seconds, and returns what came of that.
func (s *setup) ask(e *queue.Event) (queue.Answer, queue.Asked) {
	s.t.Helper()
	asker := s.Ask(shopApp, e.ID)
	s.append(e)
	if asker == nil {
		return nil, queue.Queued
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Second)
	defer cancel()
	return asker.Wait(ctx)
}

// expect asks, and looks at what came of that.
func (s *setup) expect(e *queue.Event, want queue.Asked) {
	s.t.Helper()
	answer, got := s.ask(e)
	if got != want || (answer != nil) != (want == queue.Answered) {
		s.t.Errorf("asked, got %v, %s; want %s", answer, got, want)
	}
	if answer != nil {
		answer.Free()
	}
}

// answering returns an app that takes all events, and whose answers are kept.
func answering() *asked {
	a := &asked{keep: true}
	a.answer = func(context.Context, *queue.Event, int) queue.Result {
		return queue.Result{Outcome: queue.Succeeded, Status: 200}
	}
	return a
}

// claimsTake returns a backend whose claims take so long.
func claimsTake(long time.Duration) *backend {
	return &backend{wrap: func(s queue.Store) queue.Store {
		return &faulty{Store: s, claiming: func(queue.RouteKey) { time.Sleep(long) }}
	}}
}

// keyed returns an event whose delivery has a key.
func keyed(t *testing.T, key string) *queue.Event {
	e := newEvent(t, "shop", "app")
	e.Deliveries[0].Key = key
	return e
}

func TestAsk(t *testing.T) {
	for name, test := range map[string]struct {
		result queue.Result
		change func(*queue.Route)
		event  func(*testing.T) *queue.Event
		want   queue.Asked
	}{
		"success":     {result: queue.Result{Outcome: queue.Succeeded, Status: 200}, want: queue.Answered},
		"refusal":     {result: queue.Result{Outcome: queue.Refused, Status: 404}, want: queue.Answered},
		"retry":       {result: queue.Result{Outcome: queue.Retry, Status: 503}, want: queue.Retried},
		"no answer":   {result: queue.Result{Outcome: queue.Retry}, want: queue.Retried},
		"not kept":    {result: queue.Result{Outcome: queue.Succeeded}, want: queue.Unkept},
		"one at once": {result: queue.Result{Outcome: queue.Succeeded, Status: 200}, change: func(r *queue.Route) { r.Concurrency = 1 }, want: queue.Answered},
		"a rate":      {result: queue.Result{Outcome: queue.Succeeded, Status: 200}, change: func(r *queue.Route) { r.Rate = 5 }, want: queue.Answered},
		"first of its key": {result: queue.Result{Outcome: queue.Succeeded, Status: 200}, want: queue.Answered,
			event: func(t *testing.T) *queue.Event { return keyed(t, "k") }},
		"large": {result: queue.Result{Outcome: queue.Succeeded, Status: 200}, want: queue.Answered,
			event: func(t *testing.T) *queue.Event { return sized(t, "shop", 100<<10) }},
		"for another route": {result: queue.Result{Outcome: queue.Succeeded, Status: 200}, change: func(r *queue.Route) { r.Ask = nil }, want: queue.Queued},
	} {
		runInBubble(t, name, func(t *testing.T) {
			s := newSetup(t, new(backend))
			a := &asked{keep: true}
			a.answer = func(context.Context, *queue.Event, int) queue.Result { return test.result }
			r := a.route()
			if test.change != nil {
				test.change(r)
			}
			s.idle(r)
			e := newEvent(t, "shop", "app")
			if test.event != nil {
				e = test.event(t)
			}
			began := time.Now()
			s.expect(e, test.want)
			if took := time.Since(began); took > time.Second {
				t.Errorf("it took %v", took)
			}
			if made, freed := a.made.Load(), a.freed.Load(); made != freed && test.result.Outcome != queue.Retry {
				t.Errorf("%d answers were made, %d freed", made, freed)
			}
		})
	}
}

// A sender who waits is not sent behind a claim.
func TestAskOvertakes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, claimsTake(10*time.Second))
		a := answering()
		s.attach(a.route())
		s.append(sized(t, "shop", 100<<10)) // the scheduler is claiming by now
		pass(time.Second)
		s.expect(newEvent(t, "shop", "app"), queue.Answered)
	})
}

// A large event whose sender waits, and that finds a claim under way, is claimed next.
func TestAskDuringClaim(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, claimsTake(100*time.Millisecond))
		a := answering()
		s.attach(a.route())
		s.append(sized(t, "shop", 100<<10))
		pass(time.Second)
		s.append(sized(t, "shop", 100<<10))
		pass(50 * time.Millisecond)
		s.expect(sized(t, "shop", 100<<10), queue.Answered)
	})
}

// A sender is not turned away as long as the route has room for a further claim.
func TestAskBehindOthers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		a := &asked{keep: true}
		a.answer = func(context.Context, *queue.Event, int) queue.Result {
			time.Sleep(time.Second)
			return queue.Result{Outcome: queue.Succeeded, Status: 200}
		}
		s.idle(a.route())
		for range 5 { // more than one claim takes
			s.append(sized(t, "shop", 100<<10))
		}
		s.expect(sized(t, "shop", 100<<10), queue.Answered)
	})
}

// An event that comes into sight just when its attempt begins without a claim is claimed
// then, and its sender is not turned away.
func TestAskComesIntoSight(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := &backend{wrap: func(store queue.Store) queue.Store {
			return &leasing{Store: store, leased: func() { pass(100 * time.Millisecond) }}
		}}
		s := newSetup(t, b)
		a := answering()
		s.idle(a.route())
		s.expect(newEvent(t, "shop", "app"), queue.Answered)
		if a.count() != 1 {
			t.Errorf("%d attempts", a.count())
		}
	})
}

// leasing is a store that runs a function after each lease.
type leasing struct {
	queue.Store
	leased func()
}

func (l *leasing) Lease(route queue.RouteKey, id queue.ID, now time.Time, lease time.Duration) bool {
	ok := l.Store.Lease(route, id, now, lease)
	l.leased()
	return ok
}

// What cannot be tried at once is answered at once, and delivered later.
func TestAskQueued(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(*queue.Route)
		prepare func(s *setup, a *asked)
		event   func(*testing.T) *queue.Event
	}{
		"paused":      {prepare: func(s *setup, _ *asked) { s.pause(shopApp) }},
		"concurrency": {change: func(r *queue.Route) { r.Concurrency = 1 }, prepare: func(s *setup, _ *asked) { s.busy(1) }},
		"more at once": {change: func(r *queue.Route) { r.Concurrency = 3 },
			prepare: func(s *setup, _ *asked) { s.busy(3) }},
		"rate": {change: func(r *queue.Route) { r.Rate = .2 }, prepare: func(s *setup, _ *asked) { s.busy(1) }},
		"behind a key": {prepare: func(s *setup, _ *asked) { s.append(keyed(s.t, "k")); pass(time.Second) },
			event: func(t *testing.T) *queue.Event { return keyed(t, "k") }},
	} {
		runInBubble(t, name, func(t *testing.T) {
			s := newSetup(t, new(backend))
			door := make(gate)
			a := &asked{keep: true}
			a.answer = door.pass
			r := a.route()
			r.Timeout = time.Hour
			if test.change != nil {
				test.change(r)
			}
			s.idle(r)
			test.prepare(s, a)
			e := newEvent(t, "shop", "app")
			if test.event != nil {
				e = test.event(t)
			}
			began := time.Now()
			s.expect(e, queue.Queued)
			if took := time.Since(began); took > 500*time.Millisecond {
				t.Errorf("it took %v", took)
			}
			door.open()
			s.resume(shopApp)
			eventually(t, "the delivery", func() bool {
				return s.get(e.ID).Delivery("app").State == queue.Delivered
			})
			if a.twice > 0 {
				t.Error("two attempts at once")
			}
		})
	}
}

// busy has the route make so many attempts that do not end.
func (s *setup) busy(n int) {
	for range n {
		s.append(newEvent(s.t, "shop", "app"))
	}
	pass(time.Second)
}

// A failing route is probed by what waits, and nobody waits for that.
func TestAskFailing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		a := &asked{keep: true}
		a.answer = failing(queue.Result{Outcome: queue.Retry, Status: 503})
		r := a.route()
		r.Retry = backoff(time.Hour, time.Minute, time.Minute)
		s.idle(r)
		for range 5 {
			s.expect(newEvent(t, "shop", "app"), queue.Retried)
		}
		s.expect(newEvent(t, "shop", "app"), queue.Queued)
	})
}

// At the deadline the sender goes on without an answer, and so does the attempt.
func TestAskDeadline(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		a := &asked{keep: true}
		door := make(gate)
		a.answer = door.pass
		s.idle(a.route())
		e := newEvent(t, "shop", "app")
		began := time.Now()
		s.expect(e, queue.Late)
		if took := time.Since(began); took < 2*time.Second || took > 2100*time.Millisecond {
			t.Errorf("waited for %v", took)
		}
		pass(time.Second)
		door.open()
		if d := s.ended(e.ID).Delivery("app"); d.State != queue.Delivered || d.Attempts != 1 || a.count() != 1 {
			t.Errorf("%d attempts, %+v", a.count(), d)
		}
		if a.freed.Load() != 1 {
			t.Error("nobody has freed the late answer")
		}
	})
}

func TestAskGone(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		a := &asked{keep: true}
		door := make(gate)
		a.answer = door.pass
		s.idle(a.route())
		e := newEvent(t, "shop", "app")
		asker := s.Ask(shopApp, e.ID)
		s.append(e)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, got := asker.Wait(ctx); got != queue.Gone || asker.Waits() {
			t.Errorf("got %s", got)
		}
		door.open()
		s.ended(e.ID)
		if a.count() != 1 || a.freed.Load() != 1 {
			t.Errorf("%d attempts, %d answers freed", a.count(), a.freed.Load())
		}
	})
}

// A reload and a shutdown end no wait without an answer or a reason, and lose nothing.
func TestAskOverReload(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		a := &asked{keep: true}
		door := make(gate)
		a.answer = door.pass
		before := s.attach(a.route())
		synctest.Wait()
		var asking sync.WaitGroup
		e := newEvent(t, "shop", "app")
		asking.Go(func() { s.expect(e, queue.Answered) })
		synctest.Wait()
		after := s.attach(a.route())
		s.Detach(before)
		door.open()
		asking.Wait()
		s.ended(e.ID)

		a.answer = func(ctx context.Context, _ *queue.Event, _ int) queue.Result {
			<-ctx.Done()
			return queue.Result{Outcome: queue.Interrupted}
		}
		last := newEvent(t, "shop", "app")
		asking.Go(func() { s.expect(last, queue.Late) })
		synctest.Wait()
		s.Detach(after)
		asking.Wait()
		if asker := s.Ask(shopApp, last.ID); asker != nil {
			t.Error("a sender may wait though nothing is handed out any more")
		}
		if d := s.get(last.ID).Delivery("app"); d.State != queue.Pending || d.Attempts != 0 {
			t.Errorf("the interrupted delivery is %+v", d)
		}
	})
}

// A route that is paused between the announcement and the event turns the sender away.
func TestAskPausedMeanwhile(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		a := &asked{keep: true}
		s.idle(a.route())
		e := newEvent(t, "shop", "app")
		asker := s.Ask(shopApp, e.ID)
		s.pause(shopApp)
		s.append(e)
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if _, got := asker.Wait(ctx); got != queue.Queued || time.Since(began) > time.Second {
			t.Errorf("got %s after %v", got, time.Since(began))
		}
	})
}

// The number of senders who wait is bounded, and those who leave make room.
func TestAskersAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		a := &asked{keep: true}
		s.idle(a.route())
		var all []*queue.Asker
		for range queue.MaxAskers {
			asker := s.Ask(shopApp, newEvent(t, "shop", "app").ID)
			if asker == nil {
				t.Fatalf("only %d may wait", len(all))
			}
			all = append(all, asker)
		}
		if s.Ask(shopApp, newEvent(t, "shop", "app").ID) != nil {
			t.Error("one more may wait")
		}
		for _, asker := range all {
			asker.Leave()
		}
		s.expect(newEvent(t, "shop", "app"), queue.Answered)
	})
}

// Many senders at once, each of whom is told something, and every event arrives.
func TestAskMany(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		a := &asked{keep: true}
		a.answer = func(context.Context, *queue.Event, int) queue.Result {
			time.Sleep(time.Millisecond)
			return queue.Result{Outcome: queue.Succeeded, Status: 200}
		}
		r := a.route()
		r.Concurrency = 4
		s.idle(r)
		var senders sync.WaitGroup
		var answered atomic.Int32
		for range 16 {
			senders.Go(func() {
				for range 50 {
					switch answer, got := s.ask(newEvent(t, "shop", "app")); got {
					case queue.Answered:
						answered.Add(1)
						answer.Free()
					case queue.Queued:
					default:
						t.Errorf("got %s", got)
					}
				}
			})
		}
		senders.Wait()
		eventually(t, "all", func() bool { return s.Live() == 0 })
		if a.count() != 800 || a.twice > 0 || answered.Load() == 0 || a.made.Load() != a.freed.Load() {
			t.Errorf("%d attempts, %d twice at once, %d answers, %d made, %d freed",
				a.count(), a.twice, answered.Load(), a.made.Load(), a.freed.Load())
		}
	})
}
