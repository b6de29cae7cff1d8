package queue_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// idle attaches a route, and waits until the scheduler has looked at it: a new event then
// finds an idle route.
func (s *setup) idle(r *queue.Route) {
	s.t.Helper()
	s.attach(r)
	synctest.Wait()
}

// unclaimed is a backend whose store hangs from the second claim on, until the test is
// over.
func unclaimed(t *testing.T) *backend {
	b := new(backend)
	hang := make(chan struct{})
	first := true
	b.wrap = func(s queue.Store) queue.Store {
		return &faulty{Store: s, claiming: func(queue.RouteKey) {
			if !first {
				<-hang
			}
			first = false
		}}
	}
	t.Cleanup(func() { close(hang) }) // before the engine is closed
	return b
}

// An event that finds its route idle is delivered from memory. The appender may use the
// memory of its request again before the attempt ends.
func TestFastPath(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, unclaimed(t))
		door := make(gate)
		var got []byte
		var header []string
		a := app{answer: func(_ context.Context, e *queue.Event, _ int) queue.Result {
			<-door
			got, header = slices.Clone(e.Request.Body), slices.Clone(e.Request.Header["X-Name"])
			e.Request.Header["X-Name"][0] = "changed by the app"
			return queue.Result{Outcome: queue.Succeeded, Status: 200}
		}}
		s.idle(a.route())
		e := newEvent(t, "shop", "app")
		e.Request.Header = map[string][]string{"X-Name": {"a", "b"}, "X-Other": {"c"}}
		want := slices.Clone(e.Request.Body)
		s.append(e)
		clear(e.Request.Body)
		e.Request.Header["X-Name"][0] = "changed by the appender"
		eventually(t, "the attempt", func() bool { return a.count() == 1 })
		if state := s.State(s.get(e.ID), s.get(e.ID).Delivery("app")); state != queue.Delivering {
			t.Errorf("the delivery is %s while its attempt runs", state)
		}
		door.open()
		s.ended(e.ID)
		if string(got) != string(want) || !slices.Equal(header, []string{"a", "b"}) {
			t.Errorf("delivered %q with %q", got, header)
		}
		if e.Request.Header["X-Name"][0] != "changed by the appender" {
			t.Error("the attempt has changed the appender's header")
		}
	})
}

// Claimed events and events of the fast path share the attempts of a route.
func TestFastPathConcurrency(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		a := app{answer: func(context.Context, *queue.Event, int) queue.Result {
			time.Sleep(time.Millisecond)
			return queue.Result{Outcome: queue.Succeeded, Status: 200}
		}}
		r := a.route()
		r.Concurrency = 3
		s.idle(r)
		const senders, each = 8, 60
		var sending sync.WaitGroup
		for range senders {
			sending.Go(func() {
				for range each {
					if err := appendOne(context.Background(), s.Engine, newEvent(t, "shop", "app")); err != nil {
						t.Error(err)
					}
				}
			})
		}
		sending.Wait()
		eventually(t, "all", func() bool { return a.count() >= senders*each && s.Live() == 0 })
		a.mu.Lock()
		defer a.mu.Unlock()
		if len(a.got) != senders*each || a.most > 3 || a.twice > 0 {
			t.Errorf("%d attempts of %d events, up to %d at once, %d of them twice at once", len(a.got), senders*each, a.most, a.twice)
		}
	})
}

// A route with one attempt at a time gets events in the order of acceptance.
func TestFastPathKeepsOrder(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		a := app{answer: func(context.Context, *queue.Event, int) queue.Result {
			time.Sleep(300 * time.Microsecond)
			return queue.Result{Outcome: queue.Succeeded, Status: 200}
		}}
		r := a.route()
		r.Concurrency = 1
		s.idle(r)
		var ids []queue.ID
		for range 40 {
			// The third event finds nothing else in sight, and the route free.
			ids = append(ids, s.append(newEvent(t, "shop", "app")))
			pass(200 * time.Microsecond)
		}
		s.ended(ids[len(ids)-1])
		a.mu.Lock()
		defer a.mu.Unlock()
		if !slices.Equal(a.got, ids) {
			t.Errorf("delivered %v, accepted %v", a.got, ids)
		}
	})
}

// late is a store that runs functions after Append and before Lease.
type late struct {
	queue.Store
	appended, leasing func(*queue.Event)
	events            sync.Map // by ID
}

func (l *late) Append(ctx context.Context, events []*queue.Event, visible func()) ([]*queue.Duplicate, error) {
	for _, e := range events {
		l.events.Store(e.ID, e)
	}
	results, err := l.Store.Append(ctx, events, visible)
	for _, e := range events {
		l.appended(e)
	}
	return results, err
}

func (l *late) Lease(route queue.RouteKey, id queue.ID, now time.Time, lease time.Duration) bool {
	if e, ok := l.events.Load(id); ok && l.leasing != nil {
		l.leasing(e.(*queue.Event))
	}
	return l.Store.Lease(route, id, now, lease)
}

// The fast path does not try an event that was claimed before, and whose delivery has ended.
func TestFastPathComesLate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var s *setup
		b := &backend{wrap: func(store queue.Store) queue.Store {
			return &late{Store: store, appended: func(e *queue.Event) {
				s.ended(e.ID)
				pass(20 * time.Millisecond)
			}}
		}}
		s = newSetup(t, b)
		var a app
		s.idle(a.route())
		s.append(newEvent(t, "shop", "app"))
		pass(5 * time.Second)
		if n := a.count(); n != 1 {
			t.Errorf("%d attempts of an event that was delivered", n)
		}
	})
}

// Attempts that the fast path reserved, and does not make, are made by events that wait.
func TestFastPathGivesBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var s *setup
		door := make(gate)
		a := app{answer: door.pass}
		var first atomic.Pointer[queue.Event]
		second := newEvent(t, "shop", "app")
		b := &backend{wrap: func(store queue.Store) queue.Store {
			return &late{Store: store, appended: func(e *queue.Event) {
				if first.CompareAndSwap(nil, e) {
					eventually(t, "the claim", func() bool { return a.count() == 1 })
					pass(20 * time.Millisecond)
				}
			}, leasing: func(e *queue.Event) {
				if e == first.Load() {
					s.append(second)
					s.get(second.ID)            // it is in sight
					pass(50 * time.Millisecond) // and was looked at
				}
			}}
		}}
		s = newSetup(t, b)
		r := a.route()
		r.Concurrency, r.Timeout = 2, time.Minute
		s.idle(r)
		s.append(newEvent(t, "shop", "app"))
		eventually(t, "the second attempt", func() bool { return a.count() == 2 })
		door.open()
		s.ended(second.ID)
	})
}

func TestFastPathIsNotEarly(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		var a app
		s.idle(a.route())
		e := newEvent(t, "shop", "app")
		e.Deliveries[0].Due = time.Now().Add(time.Hour)
		s.append(e)
		pass(5 * time.Second)
		if a.count() != 0 {
			t.Error("tried an hour early")
		}
	})
}
