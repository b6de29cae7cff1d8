package queue_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// idle attaches a route, and waits until its lane has been looked at: what is
// appended then finds nothing before it.
func (s *setup) idle(r *queue.Route) {
	s.t.Helper()
	s.attach(r)
	if claims := s.backend.claims; claims != nil {
		<-claims
	}
	time.Sleep(20 * time.Millisecond) // until the engine has taken the answer in
}

// unclaimed is a backend whose store is claimed from once, and hangs then until
// the test is over.
func unclaimed(t *testing.T) *backend {
	b := &backend{claims: make(chan struct{}, 1)}
	hang := make(chan struct{})
	first := true
	b.wrap = func(s queue.Store) queue.Store {
		return &faulty{Store: s, claiming: func(queue.Lane) {
			if !first {
				<-hang
			}
			first = false
		}, claimed: func() {
			select {
			case b.claims <- struct{}{}:
			default:
			}
		}}
	}
	t.Cleanup(func() { close(hang) }) // before the engine is closed
	return b
}

// An event that finds its lane idle is delivered from memory. The memory of its
// request is the appender's again before the attempt ends.
func TestExpress(t *testing.T) {
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
}

// Events that are claimed and those that are not share the attempts of a route.
func TestExpressConcurrency(t *testing.T) {
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
				if err := s.Append(context.Background(), newEvent(t, "shop", "app")); err != nil {
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
}

// A route with one attempt at a time gets events in the order of acceptance.
func TestExpressKeepsOrder(t *testing.T) {
	s := newSetup(t, new(backend))
	var a app
	r := a.route()
	r.Concurrency = 1
	s.idle(r)
	var ids []queue.ID
	for range 40 {
		ids = append(ids, s.append(newEvent(t, "shop", "app")))
	}
	s.ended(ids[len(ids)-1])
	a.mu.Lock()
	defer a.mu.Unlock()
	if !slices.Equal(a.got, ids) {
		t.Errorf("delivered %v, accepted %v", a.got, ids)
	}
}
