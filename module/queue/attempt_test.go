package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// failing answers with the same failure each time.
func failing(r queue.Result) func(context.Context, *queue.Event, int) queue.Result {
	return func(context.Context, *queue.Event, int) queue.Result { return r }
}

var unavailable = queue.Result{Outcome: queue.Retry, Status: 503, Reason: "503 Service Unavailable"}

// tried waits until a delivery to app waits for its second attempt.
func (s *setup) tried(id queue.ID) (d *queue.Delivery) {
	s.t.Helper()
	eventually(s.t, "the outcome of the first attempt", func() bool {
		d = s.get(id).Delivery("app")
		return d.Attempts == 1
	})
	return d
}

func TestOneAtATimeKeepsOrder(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		var ids []queue.ID
		for range 40 {
			ids = append(ids, s.append(newEvent(t, "shop", "app")))
		}
		var a app
		r := a.route()
		r.Concurrency = 1
		s.attach(r)
		s.ended(ids[len(ids)-1])
		a.mu.Lock()
		defer a.mu.Unlock()
		if !slices.Equal(a.got, ids) || a.most != 1 {
			t.Errorf("delivered %v, accepted %v; %d at once", a.got, ids, a.most)
		}
	})
}

func TestConcurrency(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		door := make(gate)
		a := app{answer: door.pass}
		r := a.route()
		r.Concurrency = 3
		s.attach(r)
		var last queue.ID
		for range 10 {
			last = s.append(newEvent(t, "shop", "app"))
		}
		eventually(t, "three attempts", func() bool { return a.count() == 3 })
		pass(5 * time.Second)
		if a.count() != 3 {
			t.Errorf("%d attempts at once", a.count())
		}
		door.open()
		s.ended(last)
		if a.most != 3 || a.count() != 10 {
			t.Errorf("%d attempts, up to %d at once", a.count(), a.most)
		}
	})
}

func TestSlowRouteDelaysNoOther(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		door := make(gate)
		defer door.open()
		slow, fast := app{answer: door.pass}, app{}
		r := slow.route()
		r.Concurrency = 2
		s.Attach(s.config(map[string]*queue.Source{"shop": {
			Routes: map[string]*queue.Route{"slow": r, "fast": fast.route()},
		}}))
		for range 50 {
			s.append(newEvent(t, "shop", "slow", "fast"))
		}
		eventually(t, "the fast route", func() bool { return fast.count() == 50 })
		if slow.count() != 2 {
			t.Errorf("%d attempts in the slow route", slow.count())
		}
	})
}

// Nor does a route whose events take long to read delay others.
func TestSlowClaimDelaysNoOther(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		hang := make(chan struct{})
		goOn := sync.OnceFunc(func() { close(hang) })
		b := &backend{wrap: func(s queue.Store) queue.Store {
			return &faulty{Store: s, claiming: func(route queue.RouteKey) {
				if route.Route == "slow" {
					<-hang
				}
			}}
		}}
		s := newSetup(t, b)
		t.Cleanup(goOn) // before the engine is closed
		var slow, fast app
		s.Attach(s.config(map[string]*queue.Source{"shop": {
			Routes: map[string]*queue.Route{"slow": slow.route(), "fast": fast.route()},
		}}))
		for range 50 {
			s.append(newEvent(t, "shop", "slow", "fast"))
		}
		eventually(t, "the fast route", func() bool { return fast.count() == 50 })
		if slow.count() != 0 {
			t.Errorf("%d attempts in the slow route", slow.count())
		}
		goOn()
		eventually(t, "the slow route", func() bool { return slow.count() == 50 })
	})
}

// The log of a delivery keeps the last ten attempts, over a revival, too.
func TestLog(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		long := strings.Repeat("é", 1000)
		a := app{answer: func(_ context.Context, _ *queue.Event, attempt int) queue.Result {
			switch {
			case attempt < 12:
				return unavailable
			case attempt == 12:
				time.Sleep(2 * time.Millisecond)
				return queue.Result{Outcome: queue.Refused, Reason: long}
			}
			return queue.Result{Outcome: queue.Succeeded, Status: 200, Reason: "200 OK"}
		}}
		s.attach(a.route())
		began := time.Now()
		id := s.append(newEvent(t, "shop", "app"))
		log := s.ended(id).Delivery("app").Log
		if len(log) != 10 {
			t.Fatalf("%d attempts in the log", len(log))
		}
		for i, at := range log[:9] {
			if at.Outcome != queue.Retry || at.Status != 503 || at.Reason != unavailable.Reason || !at.At.After(began) {
				t.Errorf("attempt %d in the log: %+v", i, at)
			}
			began = at.At
		}
		last := log[9]
		if last.Outcome != queue.Refused || last.Took < 2*time.Millisecond || !strings.HasPrefix(long, strings.TrimSuffix(last.Reason, "...")) || len(last.Reason) > 300 {
			t.Errorf("last attempt in the log: %+v", last)
		}

		a.answer = nil
		if n, err := s.Revive(t.Context(), id); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		d := s.ended(id).Delivery("app")
		if n := len(d.Log); n != 10 || !d.Log[8].At.Equal(last.At) || d.Attempts != 1 {
			t.Fatalf("after a revival: %+v", d)
		}
		if at := d.Log[9]; at.Outcome != queue.Succeeded || at.Status != 200 || at.Reason != "" {
			t.Errorf("attempt that succeeded: %+v", at)
		}
	})
}

func TestPanic(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		a := app{answer: func(_ context.Context, _ *queue.Event, attempt int) queue.Result {
			if attempt == 1 {
				panic("upstream hung up")
			}
			return queue.Result{Outcome: queue.Refused, Reason: "no"}
		}}
		r := a.route()
		r.Retry = backoff(time.Hour, time.Second/2, time.Second/2)
		s.attach(r)
		id := s.append(newEvent(t, "shop", "app"))
		if d := s.tried(id); !strings.Contains(d.Reason, "panic: upstream hung up") {
			t.Errorf("after a panic: %+v", d)
		}
		s.ended(id)
	})
}

func TestTimeout(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		a := app{answer: func(ctx context.Context, _ *queue.Event, _ int) queue.Result {
			<-ctx.Done()
			return queue.Result{Outcome: queue.Retry, Reason: ctx.Err().Error()}
		}}
		r := a.route()
		r.Timeout, r.Retry = 10*time.Millisecond, backoff(72*time.Hour, time.Hour, time.Hour)
		s.attach(r)
		if d := s.tried(s.append(newEvent(t, "shop", "app"))); d.Reason != context.DeadlineExceeded.Error() {
			t.Errorf("after the timeout: %+v", d)
		}
	})
}

// The outcome of an attempt is stored once the store is available again.
func TestOutcomeWhileTheStoreIsUnavailable(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var broken atomic.Bool
		var tries atomic.Int32
		broken.Store(true)
		b := &backend{wrap: func(s queue.Store) queue.Store {
			return &faulty{Store: s, update: func() error {
				if tries.Add(1); broken.Load() {
					return fmt.Errorf("syncing: %w", queue.ErrUnavailable)
				}
				return nil
			}}
		}}
		s := newSetup(t, b, func(p *queue.Timing) { p.StoreRetry = 16 * time.Millisecond })
		var a app
		s.attach(a.route())
		id := s.append(newEvent(t, "shop", "app"))
		eventually(t, "updates", func() bool { return tries.Load() > 3 })
		broken.Store(false)
		if d := s.ended(id).Delivery("app"); d.State != queue.Delivered || a.count() != 1 {
			t.Errorf("after %d attempts: %+v", a.count(), d)
		}
	})
}

// An outcome that cannot be stored leads to another attempt after the lease.
func TestOutcomeIsLost(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var tries atomic.Int32
		b := &backend{wrap: func(s queue.Store) queue.Store {
			return &faulty{Store: s, update: func() error {
				if tries.Add(1) == 1 {
					return errors.New("no")
				}
				return nil
			}}
		}}
		s := newSetup(t, b, func(p *queue.Timing) { p.LeaseMargin, p.Poll = 50*time.Millisecond, 10*time.Millisecond })
		var a app
		r := a.route()
		r.Timeout = 50 * time.Millisecond
		s.attach(r)
		began := time.Now()
		s.ended(s.append(newEvent(t, "shop", "app")))
		if a.count() != 2 || time.Since(began) < 100*time.Millisecond {
			t.Errorf("%d attempts in %v", a.count(), time.Since(began))
		}
	})
}

func TestUnrecordedOutcomesAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const events = queue.MaxUnrecorded + 50
		hang := make(chan struct{})
		b := &backend{wrap: func(s queue.Store) queue.Store {
			return &faulty{Store: s, update: func() error {
				<-hang
				return nil
			}}
		}}
		s := newSetup(t, b)
		var appending sync.WaitGroup
		for range events {
			e := newEvent(t, "shop", "app")
			appending.Go(func() {
				if err := appendOne(context.Background(), s.Engine, e); err != nil {
					t.Error(err)
				}
			})
		}
		appending.Wait()
		var a app
		r := a.route()
		r.Concurrency = 1
		s.attach(r)
		eventually(t, "attempts", func() bool { return a.count() == queue.MaxUnrecorded+1 })
		pass(5 * time.Second)
		if a.count() != queue.MaxUnrecorded+1 {
			t.Errorf("%d attempts while no outcome could be stored", a.count())
		}
		close(hang)
		eventually(t, "all attempts", func() bool { return a.count() == events })
	})
}

// A handler that takes longer than its lease does not run twice at once.
func TestHandlerOutlivesItsLease(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend), func(p *queue.Timing) { p.LeaseMargin, p.Poll = time.Millisecond, 5*time.Millisecond })
		a := app{answer: func(context.Context, *queue.Event, int) queue.Result {
			time.Sleep(100 * time.Millisecond)
			return queue.Result{Outcome: queue.Succeeded}
		}}
		r := a.route()
		r.Timeout = time.Millisecond
		s.attach(r)
		s.ended(s.append(newEvent(t, "shop", "app")))
		if a.count() != 1 || a.twice != 0 {
			t.Errorf("%d attempts, %d at once", a.count(), a.twice)
		}
	})
}

// A delivery is not stuck that is claimed between its update and the end of the work on
// it.
func TestClaimedTooEarly(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var updates atomic.Int32
		updated, goOn := make(chan struct{}), make(chan struct{})
		b := &backend{wrap: func(s queue.Store) queue.Store {
			return &faulty{Store: s, updated: func() {
				if updates.Add(1) == 1 {
					close(updated)
					<-goOn
				}
			}}
		}}
		s := newSetup(t, b)
		a := app{answer: func(_ context.Context, _ *queue.Event, attempt int) queue.Result {
			if attempt == 1 {
				time.Sleep(time.Millisecond) // so that the next attempt has another due time
				return unavailable
			}
			return queue.Result{Outcome: queue.Succeeded}
		}}
		r := a.route()
		r.Retry = backoff(time.Hour, 0, 10*time.Millisecond)
		s.attach(r)
		id := s.append(newEvent(t, "shop", "app"))
		<-updated
		s.ended(s.append(newEvent(t, "shop", "app"))) // its claim finds the other one, too
		close(goOn)
		s.ended(id)
	})
}
