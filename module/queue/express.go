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
}

// visible is what the store calls when the event can be claimed.
func (a *appending) visible() {
	a.space.free()
	if a.begun.Load() {
		return
	}
	for lane, due := range a.event.Waiting {
		a.engine.wake(lane, due)
	}
}

// express begins the attempts of an event that was stored a moment ago, where a
// lane has nothing else to do: it need not wait until the event is in sight, nor
// read it. All other deliveries are claimed.
func (a *appending) express() {
	p, now := a.engine.plan.Load(), Now()
	begun := 0
	for i := range a.event.Deliveries {
		d := &a.event.Deliveries[i]
		l := p.lanes[Lane{a.event.Source, d.Route}]
		if l != nil && d.Key == "" && l.vacant(now) && a.engine.seize(p, l, a.event, now) {
			begun++
		}
	}
	a.begun.Store(begun > 0 && begun == len(a.event.Deliveries))
}

// vacant reports whether a new event may overtake what waits in the lane: there
// is nothing, or it waits for a later time. With one attempt at a time, or so
// many a second, all go through the store, in the order in which they came.
func (l *lane) vacant(now time.Time) bool {
	return l.limit > 1 && l.rate == nil && !l.claiming.Load() && l.next.Load() > now.UnixNano() && !l.health.ailing.Load()
}

// seize begins an attempt with an event that has not been claimed, if the lane
// has room for one.
func (e *Engine) seize(p *plan, l *lane, ev *Event, now time.Time) bool {
	if room, _, _ := l.room(now); room <= 0 || l.take(1) == 0 {
		return false
	}
	t := ticket{l.Lane, ev.ID}
	if !e.store.Lease(l.Lane, ev.ID, now, l.timeout(e.pace)+e.pace.Settle) || !e.begin(t, p) {
		l.give(1)
		return false
	}
	// The request is the appender's, who goes on without us.
	own := *ev
	own.Request = ev.Request.clone()
	e.crew.do(func() { e.work(l, t, &own, false) })
	return true
}

func (r *Request) clone() *Request {
	c := *r
	c.Body = bytes.Clone(r.Body)
	if c.Header = maps.Clone(r.Header); len(r.Header) == 0 {
		return &c
	}
	n := 0
	for _, values := range r.Header {
		n += len(values)
	}
	all := make([]string, 0, n)
	for name, values := range r.Header {
		all = append(all, values...)
		c.Header[name] = slices.Clip(all[len(all)-len(values):])
	}
	return &c
}
