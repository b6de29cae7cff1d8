package queuetest

import (
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

var app = routeKey("github", "app")

func routeKey(source, route string) queue.RouteKey {
	return queue.RouteKey{Source: source, Route: route}
}

func testDueOrder(h *harness) {
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	first, second, third, later := NewEvent(h, "github", at(1), "app"), NewEvent(h, "github", at(2), "app"),
		NewEvent(h, "github", at(3), "app"), NewEvent(h, "github", at(9), "app")
	tied := NewEvent(h, "github", at(3), "app")
	h.append(later, third, first, tied, second)

	h.claims(app, start, 9, at(1))
	h.claims(app, at(5), 2, at(3), first, second)
	h.claims(app, at(5), 0, at(3))
	h.claims(app, at(5), 9, at(9), third, tied)
	h.claims(app, at(9), 9, time.Time{}, later)
	h.claims(app, at(9), 9, time.Time{})
	before := NewEvent(h, "github", time.Time{}, "app")
	h.append(before)
	h.claims(app, start, 9, time.Time{}, before)
}

func testRoutes(h *harness) {
	// Names that are easily taken for each other when they are put together.
	routes := []queue.RouteKey{
		routeKey("a", "bc"), routeKey("ab", "c"), routeKey("abc", ""), routeKey("", "abc"),
		routeKey("a", "b"), routeKey("a", "b\x00"), routeKey("a/b", "c"), routeKey("a", "b/c"),
	}
	events := make([]*queue.Event, len(routes))
	for i, l := range routes {
		events[i] = NewEvent(h, l.Source, start, l.Route)
		h.append(events[i])
	}
	for i, l := range routes {
		h.claims(l, start, 9, time.Time{}, events[i])
	}
	both := NewEvent(h, "github", start, "app", "audit")
	h.append(both)
	h.claims(app, start, 9, time.Time{}, both)
	h.claims(routeKey("github", "audit"), start, 9, time.Time{}, both)
	h.claims(routeKey("github", "none"), start, 9, time.Time{})
	h.addsUp()
}

func testLeases(h *harness) {
	e, other := NewEvent(h, "github", start, "app"), NewEvent(h, "github", start.Add(1), "app")
	h.append(e, other)
	now := start.Add(time.Second)
	if got, next := h.claim(app, now, time.Minute, 1); len(got) != 1 || got[0] != e.ID || !next.Equal(start.Add(1)) {
		h.Fatalf("claimed %v, next at %v", got, next)
	}
	h.claims(app, now, 9, time.Time{}, other)
	h.claims(app, now, 9, time.Time{})
	h.Release(app, other.ID)
	h.claims(app, now, 9, time.Time{}, other)
	h.Release(routeKey("github", "else"), other.ID)
	h.claims(app, now, 9, time.Time{})
	// A lease ends after its time, not before.
	h.claims(app, now.Add(time.Minute-1), 9, time.Time{})
	h.claims(app, now.Add(time.Minute), 9, time.Time{}, e, other)
}

func testLease(h *harness) {
	e, other := NewEvent(h, "github", start, "app", "audit"), NewEvent(h, "github", start.Add(1), "app")
	// An event may be leased before it can be claimed.
	_, err := h.Append(h.Context(), []*queue.Event{e}, func() {})
	h.no(err)
	if !h.Lease(app, e.ID, start, time.Minute) {
		h.Fatal("not leased")
	}
	h.append(other)
	if h.Lease(app, e.ID, start, time.Minute) {
		h.Fatal("leased twice")
	}
	h.claims(app, start.Add(1), 9, time.Time{}, other)
	h.claims(routeKey("github", "audit"), start.Add(1), 9, time.Time{}, e)
	if h.Lease(app, other.ID, start, time.Minute) {
		h.Fatal("leased what was claimed")
	}
	// Release and Update end it as they end a lease of Claim.
	h.Release(app, e.ID)
	h.claims(app, start.Add(1), 9, time.Time{}, e)
	h.update(e.ID, deliver(queue.Dead, start.Add(time.Second)))
	h.claims(app, start.Add(time.Hour), 9, time.Time{}, other)
	h.addsUp()
}

func testLeaseAndUpdate(h *harness) {
	audit := routeKey("github", "audit")
	e := NewEvent(h, "github", start, "app", "audit")
	h.append(e)
	h.claims(app, start, 9, time.Time{}, e)
	h.claims(audit, start, 9, time.Time{}, e)

	// An update that does not touch a route leaves its lease.
	h.update(e.ID, func(e *queue.Event) { e.Delivery("app").Due = start.Add(time.Second) })
	h.claims(audit, start, 9, time.Time{})
	h.claims(app, start, 9, start.Add(time.Second))
	h.claims(app, start.Add(time.Second), 9, time.Time{}, e)
	h.update(e.ID, func(e *queue.Event) { e.Delivery("app").Attempts++ })
	h.claims(app, start.Add(time.Second), 9, time.Time{})

	// The end of a delivery ends its lease, so that the event can be revived at once.
	h.update(e.ID, deliver(queue.Dead, start.Add(time.Second)))
	h.claims(app, start.Add(time.Second), 9, time.Time{})
	h.update(e.ID, func(e *queue.Event) {
		for i := range e.Deliveries {
			e.Deliveries[i].State, e.Deliveries[i].Due = queue.Pending, start.Add(time.Second)
		}
	})
	h.claims(app, start.Add(time.Second), 9, time.Time{}, e)
	h.claims(audit, start.Add(time.Second), 9, time.Time{}, e)
	h.addsUp()
}

func testHeld(h *harness) {
	checks := routeKey("ignisign", "")
	e := NewEvent(h, "ignisign", start)
	e.State, e.Check = queue.Held, queue.Check{Due: start.Add(time.Second)}
	h.append(e)
	h.addsUp()
	h.claims(checks, start, 9, start.Add(time.Second))
	h.claims(checks, start.Add(time.Second), 9, time.Time{}, e)
	h.no(h.Expire(h.Context(), start.Add(9999*time.Hour), queue.Retention{MaxBytes: 1}))
	h.has(e)

	h.update(e.ID, func(e *queue.Event) {
		e.Check.Calls, e.Check.Sent, e.Check.Due = 1, true, start.Add(5*time.Second)
	})
	h.claims(checks, start.Add(5*time.Second), 9, time.Time{}, e)
	h.update(e.ID, func(e *queue.Event) {
		e.State, e.Check.Ended, e.Check.Reason = queue.Uncertain, start.Add(6*time.Second), "no answer"
	})
	h.claims(checks, start.Add(time.Hour), 9, time.Time{})
	h.addsUp()
	h.update(e.ID, func(e *queue.Event) {
		e.State = queue.Routed
		e.Deliveries = []queue.Delivery{{Route: "app", State: queue.Pending, Queued: start, Due: start}}
	})
	h.claims(routeKey("ignisign", "app"), start, 9, time.Time{}, e)
	h.addsUp()
}
