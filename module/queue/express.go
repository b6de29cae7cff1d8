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
	begun  atomic.Bool // each delivery has an attempt already
	seen   atomic.Bool // it can be claimed, or was
}

// visible is what the store calls when the event can be claimed.
func (a *appending) visible() {
	a.seen.Store(true)
	a.space.free()
	if a.begun.Load() {
		return
	}
	for lane, due := range a.event.Waiting {
		a.engine.wake(lane, due)
	}
}

// maxExpress is the largest body that is copied while its sender waits.
const maxExpress = 64 << 10

// express begins the attempts of an event that was stored a moment ago, where a
// lane has nothing else to do: it need not wait until the event is in sight, nor
// read it. All other deliveries are claimed.
func (a *appending) express() {
	if len(a.event.Request.Body) > maxExpress {
		return
	}
	p, now := a.engine.plan.Load(), Now()
	begun := 0
	for i := range a.event.Deliveries {
		d := &a.event.Deliveries[i]
		l := p.lanes[Lane{a.event.Source, d.Route}]
		if l != nil && d.Key == "" && !d.Due.After(now) && l.vacant(now) && a.seize(p, l, now) {
			begun++
		}
	}
	a.begun.Store(begun > 0 && begun == len(a.event.Deliveries))
}

// vacant reports whether a new event may overtake what waits in the lane: there
// is nothing, or it waits for a later time. With one attempt at a time, or so
// many a second, all go through the store, in the order in which they came.
func (l *lane) vacant(now time.Time) bool {
	return l.limit > 1 && l.rate == nil && l.next.Load() > now.UnixNano() && !l.claiming.Load() && !l.health.ailing.Load()
}

// seize begins an attempt with an event that has not been claimed, if the lane
// has room for one.
func (a *appending) seize(p *plan, l *lane, now time.Time) bool {
	e, t := a.engine, ticket{l.Lane, a.event.ID}
	if room, _, _ := l.room(now); room <= 0 || l.take(1) == 0 {
		return false
	}
	begun := e.store.Lease(t.lane, t.id, now, l.timeout(e.pace)+e.pace.Settle) && e.begin(t, p)
	if begun && a.seen.Load() { // it may have been claimed, and dealt with, before
		e.giveBack(t)
		e.end(t)
		begun = false
	}
	if !begun {
		l.give(1)
		signal(e.poke)
		return false
	}
	// The request is the appender's, who goes on without us.
	own := *a.event
	own.Request = a.event.Request.clone()
	e.crew.do(func() { e.work(l, t, &own, false) })
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
