package queuetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// newOrdered returns an event with a delivery to the route app that has a key and is due
// when the event was received.
func newOrdered(t testing.TB, key string, received time.Time) *queue.Event {
	t.Helper()
	e := NewEvent(t, "github", received, "app")
	e.Deliveries[0].Key = key
	return e
}

func dies(holds bool, at time.Time) func(*queue.Event) {
	return func(e *queue.Event) {
		deliver(queue.Dead, at)(e)
		e.Deliveries[0].Holds = holds
	}
}

// pending queues a delivery again.
func pending(due time.Time) func(*queue.Event) {
	return func(e *queue.Event) {
		e.Deliveries[0].State, e.Deliveries[0].Due, e.Deliveries[0].Holds = queue.Pending, due, false
	}
}

func testOrder(h *harness) {
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	now := at(100)
	// The order is that of Append, whatever the times are.
	first, second, third := newOrdered(h, "a", at(3)), newOrdered(h, "a", at(1)), newOrdered(h, "a", at(2))
	other, none := newOrdered(h, "b", at(4)), newOrdered(h, "", at(5))
	h.append(first, second, third, other, none)
	h.claims(app, now, 9, time.Time{}, first, other, none)
	h.claims(app, now, 9, time.Time{})

	// A retry blocks its key until it is due.
	h.update(first.ID, func(e *queue.Event) { e.Deliveries[0].Due = at(101) })
	h.claims(app, now, 9, at(101))
	h.claims(app, at(101), 9, time.Time{}, first)
	h.Release(app, first.ID)
	h.claims(app, at(101), 9, time.Time{}, first)

	// The end of a delivery lets the next one go, and no other.
	h.update(first.ID, deliver(queue.Delivered, now))
	h.claims(app, now, 9, time.Time{}, second)
	h.reopen()
	h.claims(app, now, 9, time.Time{}, second, other, none)
	h.update(second.ID, dies(false, now))
	h.claims(app, now, 9, time.Time{}, third)

	// A delivery that is queued again joins the end of its FIFO.
	late := newOrdered(h, "a", at(6))
	h.append(late)
	h.update(second.ID, pending(at(1)))
	h.claims(app, now, 9, time.Time{})
	h.no(h.Remove(h.Context(), third.ID))
	h.claims(app, now, 9, time.Time{}, late)
	h.update(late.ID, deliver(queue.Delivered, now))
	h.claims(app, now, 9, time.Time{}, second)
	h.update(second.ID, deliver(queue.Delivered, now))

	// A FIFO that has become empty is like a new one.
	again := newOrdered(h, "a", at(7))
	h.append(again)
	h.claims(app, now, 9, time.Time{}, again)
	h.addsUp()
}

func testHeldKeys(h *harness) {
	now := start.Add(time.Minute)
	first, second, third := newOrdered(h, "a", start), newOrdered(h, "a", start), newOrdered(h, "a", start)
	h.append(first, second, third)
	h.claims(app, now, 9, time.Time{}, first)
	h.update(first.ID, dies(true, now))
	h.claims(app, now, 9, time.Time{})
	h.reopen()
	h.claims(app, now, 9, time.Time{})

	// A revived dead letter keeps its place, and holds the key again when it dies.
	h.update(first.ID, pending(start))
	h.claims(app, now, 9, time.Time{}, first)
	h.update(first.ID, dies(true, now))
	h.claims(app, now, 9, time.Time{})
	// A delivery behind the dead letter may end meanwhile.
	h.update(second.ID, deliver(queue.Delivered, now))
	h.claims(app, now, 9, time.Time{})
	// The key is held until an operator lets go of it, or the dead letter expires.
	h.update(first.ID, func(e *queue.Event) { e.Deliveries[0].Holds = false })
	h.claims(app, now, 9, time.Time{}, third)
	h.update(third.ID, dies(true, now))
	last := newOrdered(h, "a", now)
	h.append(last)
	h.claims(app, now, 9, time.Time{})
	h.no(h.Expire(h.Context(), now.Add(time.Hour), queue.Retention{Done: time.Hour, Failed: time.Hour}))
	h.claims(app, now, 9, time.Time{}, last)
	h.addsUp()
}

// testFIFOs has events stand in several FIFOs, which must not be taken for each other.
func testFIFOs(h *harness) {
	both, app2, audit := NewEvent(h, "github", start, "app", "audit"), NewEvent(h, "github", start, "app"), NewEvent(h, "github", start, "audit")
	twin := NewEvent(h, "stripe", start, "app")
	for _, e := range []*queue.Event{both, app2, audit, twin} {
		for i := range e.Deliveries {
			e.Deliveries[i].Key = "a"
		}
	}
	h.append(both, app2, audit, twin)
	h.claims(app, start, 9, time.Time{}, both)
	h.claims(routeKey("github", "audit"), start, 9, time.Time{}, both)
	h.claims(routeKey("stripe", "app"), start, 9, time.Time{}, twin)
	h.update(both.ID, func(e *queue.Event) { e.Delivery("audit").State = queue.Delivered })
	h.claims(app, start, 9, time.Time{})
	h.claims(routeKey("github", "audit"), start, 9, time.Time{}, audit)
	h.no(h.Remove(h.Context(), both.ID))
	h.claims(app, start, 9, time.Time{}, app2)

	// Many events in one FIFO, which all leave at the same time.
	many := make([]*queue.Event, 1500)
	for i := range many {
		many[i] = newOrdered(h, "many", start)
	}
	h.together(len(many), func(i int) error { return Append(h.Context(), h.Store, many[i]) })
	sentinel := newOrdered(h, "many", start)
	h.append(sentinel)
	if claimed, _ := h.claim(app, start, time.Minute, 9); len(claimed) != 1 {
		h.Fatalf("%d events of one FIFO were claimed", len(claimed))
	}
	h.together(len(many), func(i int) error {
		if i%2 == 0 {
			return h.Remove(h.Context(), many[i].ID)
		}
		return h.Update(h.Context(), many[i].ID, func(e *queue.Event) error {
			deliver(queue.Delivered, start)(e)
			return nil
		})
	})
	h.claims(app, start, 9, time.Time{}, sentinel)
	fresh := make([]*queue.Event, 20)
	for i := range fresh {
		fresh[i] = newOrdered(h, fmt.Sprint("fresh", i), start)
	}
	h.append(fresh...)
	h.claims(app, start, 99, time.Time{}, fresh...)
	h.addsUp()
}

func testOldest(h *harness) {
	oldest := func(want map[queue.RouteKey]*queue.Event) {
		h.Helper()
		got, err := h.Oldest(h.Context())
		h.no(err)
		if len(got) != len(want) {
			h.Fatalf("there are events in %d routes, want %d", len(got), len(want))
		}
		for route, e := range want {
			if got[route] != e.ID {
				h.Errorf("the oldest of %v is %s, want %s", route, got[route], e.ID)
			}
		}
	}
	oldest(nil)
	audit := routeKey("github", "audit")
	first, both, keyed := NewEvent(h, "github", start, "app"), NewEvent(h, "github", start, "app", "audit"), newOrdered(h, "a", start)
	held := NewEvent(h, "sign", start)
	held.State, held.Check.Due = queue.Held, start
	h.append(held, keyed, both, first)
	h.update(first.ID, func(e *queue.Event) { e.Deliveries[0].Due = start.Add(time.Hour) })
	oldest(map[queue.RouteKey]*queue.Event{app: first, audit: both, routeKey("sign", ""): held})
	crowd := h.fill(5000, "app", "many") // more than a page
	h.update(first.ID, deliver(queue.Delivered, start))
	h.update(both.ID, deliver(queue.Dead, start))
	many := newOrdered(h, "a", start)
	h.append(many)
	got, err := h.Oldest(h.Context())
	h.no(err)
	if len(got) != 3 || got[app] != keyed.ID || got[routeKey("sign", "")] != held.ID {
		h.Errorf("the oldest are %v", got)
	}

	// Events that wait behind a dead letter that holds their key count, too.
	h.update(keyed.ID, dies(true, start))
	h.together(len(crowd), func(i int) error { return h.Remove(h.Context(), crowd[i].ID) })
	oldest(map[queue.RouteKey]*queue.Event{app: many, routeKey("sign", ""): held})

	// The dead letter itself waits for nothing.
	h.no(h.Remove(h.Context(), many.ID))
	oldest(map[queue.RouteKey]*queue.Event{routeKey("sign", ""): held})
}
