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

// in picks the deliveries in some states.
func in(states ...queue.DeliveryState) func(*queue.Delivery, queue.DeliveryState) bool {
	return func(_ *queue.Delivery, state queue.DeliveryState) bool { return slices.Contains(states, state) }
}

func every(*queue.Delivery, queue.DeliveryState) bool { return true }

// operate carries out an operation on an event as it is now.
func (s *setup) operate(id queue.ID, op queue.Operation) (int, error) {
	s.t.Helper()
	ending := s.Bulk(s.t.Context(), []queue.Task{{Event: s.get(id), Operation: op}})[0]
	return ending.Deliveries, ending.Err
}

// would returns how many deliveries an operation would change.
func (s *setup) would(id queue.ID, op queue.Operation) (int, error) {
	s.t.Helper()
	ending := s.Try(queue.Task{Event: s.get(id), Operation: op})
	return ending.Deliveries, ending.Err
}

// replayed replays an event, which is to queue n deliveries.
func (s *setup) replayed(id queue.ID, r queue.Replay, n int) {
	s.t.Helper()
	tried, err := s.would(id, r)
	if tried != n || err != nil {
		s.t.Fatalf("would replay %d deliveries, %v; want %d", tried, err, n)
	}
	if got, err := s.operate(id, r); got != n || err != nil {
		s.t.Fatalf("replayed %d deliveries, %v; want %d", got, err, n)
	}
}

// left replays an event, which is to be left as it is.
func (s *setup) left(id queue.ID, r queue.Replay, want queue.Left) {
	s.t.Helper()
	if n, err := s.operate(id, r); n != 0 || !errors.Is(err, want) {
		s.t.Fatalf("replayed %d deliveries, %v; want %v", n, err, want)
	}
}

// mixed attaches routes of which good always works, and bad once it is mended.
func (s *setup) mixed() (good, bad *app, mended *atomic.Bool) {
	good, mended = new(app), new(atomic.Bool)
	bad = &app{answer: func(context.Context, *queue.Event, int) queue.Result {
		if mended.Load() {
			return queue.Result{Outcome: queue.Succeeded, Status: 200}
		}
		return queue.Result{Outcome: queue.Refused, Status: 400, Reason: "400 Bad Request"}
	}}
	s.Attach(s.config(map[string]*queue.Source{"shop": {
		Routes: map[string]*queue.Route{"good": good.route(), "bad": bad.route(), "new": good.route()},
	}}))
	return good, bad, mended
}

func TestReplayOfDeadDeliveries(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		good, bad, mended := s.mixed()
		id := s.append(newEvent(t, "shop", "good", "bad"))
		s.ended(id)
		s.left(id, queue.Replay{Pick: in(queue.Pending)}, queue.LeftIdle)
		s.replayed(id, queue.Replay{Pick: in(queue.Dead)}, 1) // in vain
		if d := s.ended(id).Delivery("bad"); d.State != queue.Dead || d.Attempts != 1 || d.Replays != 1 {
			t.Errorf("replayed in vain: %+v", d)
		}
		mended.Store(true)
		before := time.Now()
		s.replayed(id, queue.Replay{Pick: in(queue.Dead)}, 1)
		d := s.ended(id).Delivery("bad")
		if d.State != queue.Delivered || d.Replays != 2 || d.Replayed.Before(before) || d.Queued.Before(before) || d.From != "" {
			t.Errorf("replayed: %+v", d)
		}
		if good.count() != 1 || bad.count() != 3 {
			t.Errorf("%d attempts at the good route, %d at the bad one", good.count(), bad.count())
		}
		s.left(id, queue.Replay{Pick: in(queue.Dead)}, queue.LeftIdle)
		s.replayed(id, queue.Replay{Pick: every}, 2) // delivered or not
		eventually(t, "two more attempts", func() bool { return good.count() == 2 && bad.count() == 4 })
	})
}

func TestReplayElsewhere(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		good, _, _ := s.mixed()
		id := s.append(newEvent(t, "shop", "good", "bad"))
		s.ended(id)
		s.left(id, queue.Replay{Pick: in(queue.Dead), To: []string{}}, queue.LeftUnrouted)
		s.left(id, queue.Replay{Pick: in(queue.Dead), To: []string{"good"}}, queue.LeftIdle) // it has it
		if e := s.get(id); len(e.Deliveries) != 2 || e.Delivery("bad").State != queue.Dead {
			t.Fatalf("a replay that does nothing changed the event: %+v", e)
		}
		s.replayed(id, queue.Replay{Pick: in(queue.Dead), To: []string{"new", "good"}}, 1)
		e := s.ended(id)
		d := e.Delivery("new")
		if len(e.Deliveries) != 2 || d == nil || d.State != queue.Delivered || d.From != "bad" || d.Replays != 1 {
			t.Errorf("replayed elsewhere: %+v", e)
		}
		// The delivered one stays beside the new delivery.
		s.replayed(id, queue.Replay{Pick: every, To: []string{"good"}}, 1)
		if e := s.ended(id); len(e.Deliveries) != 2 || e.Delivery("good").Replays != 1 {
			t.Errorf("replayed to a route that has it: %+v", e)
		}
		if good.count() != 3 {
			t.Errorf("%d attempts, want 3", good.count())
		}
	})
}

func TestReplayOfUnroutedEvents(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		good, _, _ := s.mixed()
		id := s.append(newEvent(t, "shop"))
		s.left(id, queue.Replay{Pick: every}, queue.LeftUnrouted)
		s.replayed(id, queue.Replay{Pick: every, To: []string{"good", "new"}}, 2)
		if e := s.ended(id); e.State != queue.Routed || len(e.Deliveries) != 2 || good.count() != 2 {
			t.Errorf("%d attempts, event: %+v", good.count(), e)
		}
	})
}

func TestReplayMakesPendingDeliveriesDue(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		var down atomic.Bool
		down.Store(true)
		a := app{answer: func(_ context.Context, _ *queue.Event, attempt int) queue.Result {
			if down.Load() {
				return queue.Result{Outcome: queue.Retry, RetryAfter: time.Hour}
			}
			return queue.Result{Outcome: queue.Succeeded}
		}}
		s.attach(a.route())
		id := s.append(newEvent(t, "shop", "app"))
		s.tried(id)
		down.Store(false)
		eventually(t, "the end of the attempt", func() bool {
			_, err := s.operate(id, queue.Replay{Pick: in(queue.Pending)})
			return err == nil
		})
		if d := s.ended(id).Delivery("app"); d.State != queue.Delivered || d.Attempts != 2 || d.Replays != 1 {
			t.Errorf("delivery: %+v", d)
		}
	})
}

func TestWhatIsBeingAttemptedIsLeft(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		door := make(gate)
		a := app{answer: door.pass}
		s.attach(a.route())
		id := s.append(newEvent(t, "shop", "app"))
		eventually(t, "the attempt", func() bool { return a.count() == 1 })
		s.left(id, queue.Replay{Pick: every}, queue.LeftBusy)
		s.left(id, queue.Replay{Pick: every, To: []string{"other"}}, queue.LeftBusy)
		if _, err := s.operate(id, queue.Drop{Pick: every}); !errors.Is(err, queue.LeftBusy) {
			t.Errorf("dropped what is being attempted: %v", err)
		}
		door.open()
		if d := s.ended(id).Delivery("app"); d.State != queue.Delivered || a.count() != 1 {
			t.Errorf("after %d attempts: %+v", a.count(), d)
		}
	})
}

// Operators and attempts at the same time: no event is tried twice at once, and all are
// delivered in the end.
func TestReplayUnderLoad(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		good, bad, mended := s.mixed()
		var ids []queue.ID
		for range 30 {
			ids = append(ids, s.append(newEvent(t, "shop", "good", "bad")))
		}
		for range 5 {
			for _, id := range ids {
				if _, err := s.operate(id, queue.Replay{Pick: every}); err != nil && !errors.As(err, new(queue.Left)) {
					t.Fatal(err)
				}
			}
		}
		mended.Store(true)
		for _, id := range ids {
			e := s.ended(id)
			if e.Delivery("bad").State == queue.Dead {
				s.replayed(id, queue.Replay{Pick: in(queue.Dead)}, 1)
			}
			if e := s.ended(id); e.Delivery("bad").State != queue.Delivered {
				t.Errorf("event: %+v", e)
			}
		}
		if good.twice != 0 || bad.twice != 0 {
			t.Errorf("%d and %d attempts ran beside another of the same event", good.twice, bad.twice)
		}
	})
}

func TestDrop(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		s.mixed()
		id := s.append(newEvent(t, "shop", "good", "gone", "lost"))
		eventually(t, "the delivery", func() bool { return s.get(id).Delivery("good").State == queue.Delivered })
		gone := func(d *queue.Delivery, state queue.DeliveryState) bool {
			return d.Route == "gone" && state == queue.Parked
		}
		if n, err := s.would(id, queue.Drop{Pick: gone}); n != 1 || err != nil {
			t.Errorf("would drop %d, %v", n, err)
		}
		if n, err := s.operate(id, queue.Drop{Pick: gone}); n != 1 || err != nil {
			t.Errorf("dropped %d, %v", n, err)
		}
		e := s.get(id)
		if d := e.Delivery("gone"); d.State != queue.Dead || d.Reason != queue.Dropped || d.Ended.IsZero() {
			t.Errorf("dropped: %+v", d)
		}
		if e.Delivery("good").State != queue.Delivered || e.Delivery("lost").State != queue.Pending {
			t.Errorf("the others: %+v", e)
		}
		if _, err := s.operate(id, queue.Drop{Pick: gone}); !errors.Is(err, queue.LeftIdle) {
			t.Errorf("dropped once more: %v", err)
		}
	})
}

func TestDropOfUnprovenEvents(t *testing.T) {
	for name, state := range map[string]queue.EventState{"held": queue.Held, "uncertain": queue.Uncertain} {
		runInBubble(t, name, func(t *testing.T) {
			s := newSetup(t, new(backend), hasty, func(p *queue.Timing) {
				if state == queue.Uncertain {
					p.CheckFor = time.Millisecond
				}
			})
			s.checked(&api{answers: []queue.Verdict{unsent}}, new(app), "app")
			id, _ := s.hold()
			eventually(t, "its state", func() bool { return s.get(id).State == state })
			eventually(t, "a moment without a call", func() bool {
				_, err := s.operate(id, queue.Drop{Pick: every})
				return err == nil
			})
			s.gone(id)
			s.released().Release()
		})
	}
}

// removing is a store that does something before it removes an event.
type removing struct {
	queue.Store
	before func()
}

func (r *removing) Remove(ctx context.Context, id queue.ID) error {
	r.before()
	return r.Store.Remove(ctx, id)
}

// Two operators decide about an uncertain event: it is not removed after it was
// routed.
func TestOperatorsExcludeEachOther(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := new(removing)
		s := newSetup(t, &backend{wrap: func(s queue.Store) queue.Store { store.Store = s; return store }})
		s.checked(&api{answers: []queue.Verdict{unsent}}, new(app), "app")
		e := newEvent(t, "sign")
		e.State, e.Check.Ended = queue.Uncertain, time.Now()
		s.append(e)
		store.before = func() {
			if _, err := s.operate(e.ID, queue.Replay{Pick: every, To: []string{"app"}}); !errors.Is(err, queue.LeftBusy) {
				t.Errorf("replaying what is being removed: %v", err)
			}
		}
		if _, err := s.operate(e.ID, queue.Drop{Pick: every}); err != nil {
			t.Error(err)
		}
		s.gone(e.ID)
	})
}

// The event was routed after the operator had read it.
func TestDropOfWhatHasBeenRouted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend), hasty)
		s.checked(&api{answers: []queue.Verdict{unsent, genuine}}, new(app), "app")
		id, _ := s.hold()
		read := s.get(id)
		s.ended(id)
		endings := s.Bulk(t.Context(), []queue.Task{{Event: read, Operation: queue.Drop{Pick: every}}})
		if err := endings[0].Err; !errors.Is(err, queue.LeftIdle) {
			t.Errorf("dropping it: %v", err)
		}
		s.get(id)
	})
}

func TestReplayOfUnprovenEvents(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend), hasty)
		door := make(chan struct{})
		proofs := &api{answers: []queue.Verdict{unheard, used}}
		proofs.during = func(*queue.Event) {
			if proofs.count() == 1 {
				<-door
			}
		}
		var a app
		s.checked(proofs, &a, "app")
		id, _ := s.hold()
		n, err := s.operate(id, queue.Replay{Pick: every, To: []string{"app"}})
		if n != 0 || !errors.Is(err, queue.LeftHeld) && !errors.Is(err, queue.LeftBusy) { // the next check may have begun
			t.Fatalf("replayed %d deliveries, %v", n, err)
		}
		close(door)
		s.ended(id) // uncertain
		eventually(t, "the end of the check", func() bool {
			_, err := s.operate(id, queue.Replay{Pick: every})
			return errors.Is(err, queue.LeftUnrouted)
		})
		if a.count() != 0 {
			t.Fatal("an unproven event was delivered")
		}
		s.replayed(id, queue.Replay{Pick: every, To: []string{"app"}}, 1)
		if e := s.ended(id); e.State != queue.Routed || a.count() != 1 {
			t.Errorf("%d attempts, event: %+v", a.count(), e)
		}
	})
}

// Events that are replayed together go in the order in which they were accepted, to a
// route with one attempt at a time.
func TestReplayKeepsOrder(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		var mended atomic.Bool
		a := app{answer: func(context.Context, *queue.Event, int) queue.Result {
			if mended.Load() {
				return queue.Result{Outcome: queue.Succeeded}
			}
			return queue.Result{Outcome: queue.Refused}
		}}
		r := a.route()
		r.Concurrency = 1
		s.attach(r)
		var ids []queue.ID
		for range 100 {
			ids = append(ids, s.append(newEvent(t, "shop", "app")))
		}
		for _, id := range ids {
			s.ended(id)
		}
		mended.Store(true)
		var tasks []queue.Task
		err := s.Ascend(t.Context(), queue.ID{}, func(e *queue.Event) bool {
			tasks = append(tasks, queue.Task{Event: e, Operation: queue.Replay{Pick: in(queue.Dead)}})
			return true
		})
		if err != nil || len(tasks) != len(ids) {
			t.Fatalf("%d tasks, %v", len(tasks), err)
		}
		for part := range slices.Chunk(tasks, 30) {
			for i, ending := range s.Bulk(t.Context(), part) {
				if ending.Deliveries != 1 || ending.Err != nil {
					t.Fatalf("task %d: %+v", i, ending)
				}
			}
		}
		for _, id := range ids {
			s.ended(id)
		}
		if got := a.got[len(ids):]; !slices.Equal(got, ids) {
			t.Errorf("replayed in the order %v, want %v", got, ids)
		}
	})
}

// A task that fails does not harm the others.
func TestTasksOfAllKinds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		good, _, _ := s.mixed()
		dead, done, parked := newEvent(t, "shop", "bad"), newEvent(t, "shop", "good"), newEvent(t, "gone", "app")
		for _, e := range []*queue.Event{dead, done} {
			s.ended(s.append(e))
		}
		s.append(parked)
		missing := newEvent(t, "shop", "good")
		elsewhere := queue.Replay{Pick: every, To: []string{"new"}}
		endings := s.Bulk(t.Context(), []queue.Task{
			{Event: missing, Operation: elsewhere},
			{Event: s.get(dead.ID), Operation: elsewhere},
			{Event: s.get(done.ID), Operation: queue.Replay{Pick: in(queue.Dead)}},
			{Event: s.get(parked.ID), Operation: queue.Replay{Pick: every}},
		})
		want := []queue.Ending{{Err: queue.ErrNotFound}, {Deliveries: 1}, {Err: queue.LeftIdle}, {Deliveries: 1, Parked: 1}}
		if !slices.Equal(endings, want) {
			t.Errorf("tasks end with %+v, want %+v", endings, want)
		}
		s.ended(dead.ID)
		if good.count() != 2 {
			t.Errorf("%d attempts, want 2", good.count())
		}
	})
}

func TestOperateWhileTheStoreFails(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		id := s.append(newEvent(t, "shop", "app"))
		e := s.get(id)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for _, op := range []queue.Operation{queue.Replay{Pick: every}, queue.Drop{Pick: every}} {
			if ending := s.Bulk(t.Context(), []queue.Task{{Event: e, Operation: op}})[0]; !errors.Is(ending.Err, queue.ErrClosed) {
				t.Errorf("%T ends with %+v", op, ending)
			}
		}
	})
}
