package queue

import (
	"bytes"
	"maps"
	"slices"
	"sync/atomic"
	"time"
)

// appending is an event on its way into the store.
type appending struct {
	engine *Engine
	event  *Event
	space  reservation
	begun  atomic.Bool // each delivery has an attempt
	seen   atomic.Bool // the event can be claimed, and may have been
}

// visible is what the store calls when the event can be claimed.
func (a *appending) visible() {
	a.seen.Store(true)
	a.space.free()
	if a.begun.Load() {
		return
	}
	for route, due := range a.event.Waiting {
		a.engine.arrive(route, a.event.ID, due)
	}
}

// maxFastPathBody is the largest body that is copied while its sender waits.
const maxFastPathBody = 64 << 10

// fastPath begins the attempts at an event that was stored a moment ago, where the route
// has nothing else to do. Such an attempt need not wait until the event can be claimed,
// nor read the event. All other deliveries are claimed.
func (a *appending) fastPath() {
	if len(a.event.Request.Body) > maxFastPathBody {
		return
	}
	snap, now := a.engine.snapshot.Load(), Now()
	begun := 0
	for i := range a.event.Deliveries {
		d := &a.event.Deliveries[i]
		q := snap.queues[RouteKey{a.event.Source, d.Route}]
		if q != nil && d.Key == "" && !d.Due.After(now) && q.vacant(now) && a.seize(snap, q, now) {
			begun++
		}
	}
	a.begun.Store(begun > 0 && begun == len(a.event.Deliveries))
}

// vacant reports whether a new event may overtake what the queue holds: nothing, or what
// is due later. A route with one attempt at a time, or with a rate, gets its events in
// the order in which the store has them.
func (q *routeQueue) vacant(now time.Time) bool {
	return q.limit > 1 && q.rate == nil && q.next.Load() > now.UnixNano() && !q.claiming.Load() && !q.health.ailing.Load()
}

// seize begins an attempt at an event that has not been claimed, if the route has room.
func (a *appending) seize(snap *snapshot, q *routeQueue, now time.Time) bool {
	e, f := a.engine, inFlight{q.RouteKey, a.event.ID}
	if room, _, _ := q.room(now); room <= 0 || q.take(1) == 0 {
		return false
	}
	begun := e.store.Lease(f.route, f.id, now, q.route.Timeout+e.timing.LeaseMargin) && e.begin(f, snap)
	if begun && a.seen.Load() { // somebody may have claimed the event, and ended the delivery, before
		e.giveBack(f)
		e.end(f)
		begun = false
	}
	if !begun {
		q.give(1)
		signal(e.poke)
		return false
	}
	// The appender goes on to use the request's memory.
	own := *a.event
	own.Request = a.event.Request.clone()
	asker := q.askers.take(f.id)
	e.workers.do(func() { e.work(q, f, &own, false, asker) })
	return true
}

func (r *Request) clone() *Request {
	c := *r
	c.Body, c.Header = bytes.Clone(r.Body), maps.Clone(r.Header)
	for name, values := range r.Header {
		c.Header[name] = slices.Clone(values)
	}
	return &c
}
