package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

func TestParkedDeliveriesGoOn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		id := s.append(newEvent(t, "shop", "app"))
		var other app
		s.Attach(s.config(map[string]*queue.Source{"shop": {Routes: map[string]*queue.Route{"other": other.route()}}}))
		next := s.append(newEvent(t, "shop", "app", "other"))
		eventually(t, "the delivery to the route that is there", func() bool {
			return s.get(next).Delivery("other").State == queue.Delivered
		})
		e := s.get(id)
		if state := s.State(e, e.Delivery("app")); state != queue.Parked {
			t.Errorf("delivery to a route that is not there is %s", state)
		}

		door := make(gate)
		a := app{answer: door.pass}
		s.attach(a.route())
		eventually(t, "attempts", func() bool { return a.count() == 2 })
		if state := s.State(e, e.Delivery("app")); state != queue.Delivering {
			t.Errorf("delivery is %s while an attempt runs", state)
		}
		door.open()
		for _, id := range []queue.ID{id, next} {
			e := s.ended(id)
			if state := s.State(e, e.Delivery("app")); state != queue.Delivered {
				t.Errorf("delivery is %s at the end", state)
			}
		}
	})
}

func TestAttachWhileAttemptsRun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const events = 200
		s := newSetup(t, new(backend))
		a := app{answer: func(context.Context, *queue.Event, int) queue.Result {
			time.Sleep(3 * time.Millisecond)
			return queue.Result{Outcome: queue.Succeeded}
		}}
		s.attach(a.route())
		var appending sync.WaitGroup
		for range 4 {
			appending.Go(func() {
				for range events / 4 {
					if err := appendOne(context.Background(), s.Engine, newEvent(t, "shop", "app")); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for i := 0; i < 30 || a.count() < events && i < 3000; i++ {
			s.attach(a.route())
			time.Sleep(2 * time.Millisecond)
		}
		appending.Wait()
		eventually(t, "all deliveries", func() bool {
			return s.Usage().Deliveries[queue.RouteKey{Source: "shop", Route: "app"}][queue.Delivered] == events
		})
		if a.count() != events || a.twice != 0 {
			t.Errorf("%d attempts at %d events, %d of them at once", a.count(), events, a.twice)
		}
		// Attempts that began under an earlier configuration count.
		if a.most > 8 {
			t.Errorf("%d attempts at once, 8 are allowed", a.most)
		}
	})
}

func TestAttachChangesHandler(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		door := make(gate)
		before, after := app{answer: door.pass}, app{}
		s.attach(before.route())
		first := s.append(newEvent(t, "shop", "app"))
		eventually(t, "the first attempt", func() bool { return before.count() == 1 })
		s.attach(after.route())
		s.ended(s.append(newEvent(t, "shop", "app")))
		if before.count() != 1 || after.count() != 1 {
			t.Errorf("the old handler made %d attempts, the new one %d", before.count(), after.count())
		}
		door.open()
		if e := s.ended(first); e.Delivery("app").State != queue.Delivered {
			t.Errorf("outcome of the old handler's attempt: %+v", e.Deliveries)
		}
		if after.count() != 1 {
			t.Error("the new handler delivered an event again that the old one had")
		}
		if n := s.backend.applied.Load(); n != 2 {
			t.Errorf("backend was applied %d times", n)
		}
	})
}

// A handler is not used any more that was replaced between the claim and the attempt:
// its configuration may be cleaned up.
func TestAttachDuringClaim(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		claimed, goOn := make(chan struct{}), make(chan struct{})
		var claims atomic.Int32
		b := &backend{wrap: func(s queue.Store) queue.Store {
			return &faulty{Store: s, claimed: func() {
				if claims.Add(1) == 1 {
					close(claimed)
					<-goOn
				}
			}}
		}}
		s := newSetup(t, b)
		var before, after app
		id := s.append(newEvent(t, "shop", "app"))
		s.attach(before.route())
		<-claimed
		s.attach(after.route())
		close(goOn)
		s.ended(id)
		if before.count() != 0 || after.count() != 1 {
			t.Errorf("the old handler made %d attempts, the new one %d", before.count(), after.count())
		}
	})
}

func TestDetachOfAnOlderConfigurationDoesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		var a app
		older := s.attach(a.route())
		s.attach(a.route())
		s.Detach(older)
		s.ended(s.append(newEvent(t, "shop", "app")))
	})
}

// A reload that fails half-way attaches its configuration and detaches it
// again; the one before was never detached.
func TestDetachFallsBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		var before, failed app
		older := s.attach(before.route())
		s.Detach(s.attach(failed.route()))
		s.ended(s.append(newEvent(t, "shop", "app")))
		if before.count() != 1 || failed.count() != 0 {
			t.Errorf("the configuration before made %d attempts, the failed one %d", before.count(), failed.count())
		}
		s.Detach(older)
		s.append(newEvent(t, "shop", "app"))
		pass(5 * time.Second)
		if before.count() != 1 {
			t.Error("an event was delivered after the last Detach")
		}
	})
}

func TestDetachWaits(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		door := make(gate)
		a := app{answer: door.pass}
		cfg := s.attach(a.route())
		id := s.append(newEvent(t, "shop", "app"))
		eventually(t, "the attempt", func() bool { return a.count() == 1 })
		time.AfterFunc(50*time.Millisecond, door.open)
		s.Detach(cfg)
		if d := s.get(id).Delivery("app"); d.State != queue.Delivered || d.Attempts != 1 {
			t.Errorf("after Detach: %+v", d)
		}
		last := s.append(newEvent(t, "shop", "app"))
		pass(5 * time.Second)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := appendOne(t.Context(), s.Engine, newEvent(t, "shop", "app")); !errors.Is(err, queue.ErrClosed) {
			t.Errorf("Append after Close: %v", err)
		}
		if a.count() != 1 {
			t.Error("an event was delivered after Detach")
		}

		again := newSetup(t, s.backend)
		again.attach(a.route())
		again.ended(last)
	})
}

func TestDetachInterrupts(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend), func(p *queue.Timing) { p.Grace = 50 * time.Millisecond })
		var sloppy atomic.Bool
		a := app{answer: func(ctx context.Context, _ *queue.Event, attempt int) queue.Result {
			if sloppy.Load() {
				return queue.Result{Outcome: queue.Succeeded}
			}
			<-ctx.Done()
			return queue.Result{Outcome: queue.Retry, Reason: ctx.Err().Error()}
		}}
		cfg := s.attach(a.route())
		id := s.append(newEvent(t, "shop", "app"))
		due := s.get(id).Delivery("app").Due
		eventually(t, "the attempt", func() bool { return a.count() == 1 })
		s.Detach(cfg)
		if d := s.get(id).Delivery("app"); d.State != queue.Pending || d.Attempts != 0 || !d.Due.Equal(due) {
			t.Errorf("after an interruption: %+v", d)
		}
		s.watch.see(func() {
			if s.watch.outcomes[queue.Interrupted] != 1 {
				t.Errorf("observed %v", s.watch.outcomes)
			}
		})
		sloppy.Store(true)
		s.Attach(cfg)
		if d := s.ended(id).Delivery("app"); d.State != queue.Delivered || d.Attempts != 1 {
			t.Errorf("after the next attempt: %+v", d)
		}
	})
}

func TestInterruptedByNobody(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		a := app{answer: func(context.Context, *queue.Event, int) queue.Result {
			return queue.Result{Outcome: queue.Interrupted}
		}}
		s.attach(a.route())
		id := s.append(newEvent(t, "shop", "app"))
		eventually(t, "the requeued delivery", func() bool { return s.get(id).Delivery("app").Due.After(time.Now()) })
		if d := s.get(id).Delivery("app"); d.Attempts != 0 || a.count() != 1 {
			t.Errorf("after %d attempts: %+v", a.count(), d)
		}
	})
}

func TestListAndGauges(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		s.Attach(s.config(map[string]*queue.Source{"login": {Window: time.Hour, Entries: 10}}))
		for i := range 3 {
			flight, _, err := s.Enter(t.Context(), "login", queue.Identity{Key: key(i)})
			if err != nil {
				t.Fatal(err)
			}
			flight.Keep(queue.ID{}, time.Now().Add(time.Hour))
		}
		if n := s.Remembered()["login"]; n != 3 {
			t.Errorf("%d dedup entries", n)
		}
		want := s.append(newEvent(t, "shop", "app"))
		var got []queue.ID
		err := s.List(t.Context(), queue.ID{}, func(e *queue.Event) bool {
			got = append(got, e.ID)
			return true
		})
		if err != nil || fmt.Sprint(got) != fmt.Sprint([]queue.ID{want}) {
			t.Errorf("listed %v, %v", got, err)
		}
	})
}

func TestOldest(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		door := make(gate)
		a := app{answer: door.pass}
		s.attach(a.route())
		old := newEvent(t, "shop", "app", "gone")
		s.append(old)
		pass(50 * time.Millisecond)
		s.append(newEvent(t, "shop", "app", "gone"))
		ages := s.Oldest(t.Context())
		for route, state := range map[string]queue.DeliveryState{"app": queue.Pending, "gone": queue.Parked} {
			age := ages[queue.RouteKey{Source: "shop", Route: route}]
			if since := old.ReceivedAt.Sub(age.Since); age.State != state || since < 0 || since > 40*time.Millisecond {
				t.Errorf("%s: %+v, want %s since %v", route, age, state, old.ReceivedAt)
			}
		}
		pass(time.Second)
		door.open()
		var after []time.Duration
		eventually(t, "deliveries", func() bool {
			s.watch.see(func() { after = slices.Clone(s.watch.delivered) })
			return len(after) == 2
		})
		if slices.Sort(after); !slices.Equal(after, []time.Duration{time.Second, time.Second + 50*time.Millisecond}) {
			t.Errorf("delivered after %v", after)
		}
		if len(s.Oldest(t.Context())) != 2 {
			t.Error("the store is asked each time")
		}
	})
}
