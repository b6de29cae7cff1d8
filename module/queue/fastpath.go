package queue

import (
	"bytes"
	"maps"
	"slices"
	"sync/atomic"
	"time"
)

// appending are the events of one request on their way into the store.
type appending struct {
	engine *Engine
	events []*Event
	one    [1]*Event // memory of events, where there is one
	space  reservation
	begun  atomic.Bool // each delivery has an attempt
	seen   atomic.Bool // the events can be claimed, and may have been
}

// visible is what the store calls when the events can be claimed.
func (a *appending) visible() {
	a.seen.Store(true)
	a.space.free()
	if a.begun.Load() {
		return
	}
	for _, ev := range a.events {
		for route, due := range ev.Waiting {
			a.engine.arrive(route, ev.ID, due)
		}
	}
}

// maxFastPathBody is the largest body that is copied while its sender waits.
const maxFastPathBody = 64 << 10

// fastPath begins the attempts at events that were stored a moment ago, where the route
// has nothing else to do. Such an attempt need not wait until the event can be claimed,
// nor read the event. All other deliveries are claimed.
func (a *appending) fastPath(results []*Duplicate) {
	snap, now := a.engine.snapshot.Load(), Now()
	all := true
	for i, ev := range a.events {
		if results == nil || results[i] == nil {
			all = all && a.start(snap, ev, now)
		}
	}
	a.begun.Store(all)
}

// start begins the attempts at an event, and reports whether each delivery has one.
func (a *appending) start(snap *snapshot, ev *Event, now time.Time) bool {
	if len(ev.Request.Body) > maxFastPathBody {
		return false
	}
	begun := 0
	for i := range ev.Deliveries {
		d := &ev.Deliveries[i]
		q := snap.queues[RouteKey{ev.Source, d.Route}]
		if q == nil || d.Key != "" || d.Due.After(now) || !q.unordered() {
			continue
		}
		if (q.vacant(now) || q.askers.has(ev.ID)) && a.seize(snap, q, ev, now) {
			begun++
		}
	}
	return begun == len(ev.Deliveries) && ev.State != Held
}

// unordered reports whether an event may overtake others. A route with one attempt at a
// time, or with a rate, gets its events in the order in which the store has them.
func (q *routeQueue) unordered() bool {
	return q.limit > 1 && q.rate == nil && !q.health.ailing.Load()
}

// vacant reports whether the queue holds nothing, or what is due later. Otherwise only an
// event whose sender waits overtakes others.
func (q *routeQueue) vacant(now time.Time) bool {
	return q.next.Load() > now.UnixNano() && !q.claiming.Load()
}

// seize begins an attempt at an event that has not been claimed, if the route has room.
func (a *appending) seize(snap *snapshot, q *routeQueue, ev *Event, now time.Time) bool {
	e, f := a.engine, inFlight{q.RouteKey, ev.ID}
	if room, _, _ := q.room(now); room <= 0 || q.take(1) == 0 {
		return false
	}
	asked := q.askers.hold(f.id, true)
	// A claim that may know of the sender must find the event.
	mayLease := !asked || !a.seen.Load()
	begun := mayLease && e.store.Lease(f.route, f.id, now, q.route.Timeout+e.timing.LeaseMargin) && e.begin(f, snap)
	if begun && a.seen.Load() { // somebody may have claimed the event, and ended the delivery, before
		e.giveBack(f)
		e.end(f)
		begun = false
	}
	if !begun {
		q.give(1)
		if asked {
			q.askers.hold(f.id, false)
			e.wake(f.route, now)
		}
		signal(e.poke)
		return false
	}
	// The appender goes on to use the request's memory.
	own := *ev
	own.Request = ev.Request.clone()
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
