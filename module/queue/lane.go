package queue

import (
	"math"
	"sync/atomic"
	"time"
)

const (
	maxBatch     = 16  // events claimed at once
	maxUnsettled = 256 // outcomes that a lane may have to record before it waits
	maxChecks    = 4   // calls at once that check held events of a source
)

// lane is a Lane under a configuration.
type lane struct {
	Lane
	source *Source
	route  *Route // nil: held events to be checked
	limit  int    // attempts at once
	next   atomic.Int64
	*load
}

// load counts the attempts of a lane, those that began under an earlier
// configuration included. Only the scheduler makes it grow.
type load struct {
	running   atomic.Int64 // attempts that run
	unsettled atomic.Int64 // attempts whose outcome is not stored yet, running ones included
}

// never is when a lane that waits for nothing is looked at.
const never = math.MaxInt64

// wake has the scheduler look at the lane at a time, if it was not going to do
// so earlier. It reports whether that changed anything.
func (l *lane) wake(at int64) bool {
	for {
		next := l.next.Load()
		if next <= at {
			return false
		}
		if l.next.CompareAndSwap(next, at) {
			return true
		}
	}
}

// free returns how many more attempts may begin.
func (l *lane) free() int {
	idle := l.limit - int(l.running.Load())
	return min(idle, l.limit+maxUnsettled-int(l.unsettled.Load()))
}

// timeout is how long an attempt, or a call, may take.
func (l *lane) timeout(p pace) time.Duration {
	if l.route == nil {
		return p.Call
	}
	return l.route.Timeout
}

// ticket names what is being worked on: an event in a lane.
type ticket struct {
	lane Lane
	id   ID
}

// begin takes the ticket, unless the plan it was drawn under is not the one in
// force any more, or the work is being done already. A nil plan is any.
func (e *Engine) begin(t ticket, p *plan) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if p != nil && (p.off.Load() || e.plan.Load() != p) {
		e.giveBack(t)
		return false
	}
	if _, open := e.open[t]; open {
		e.open[t] = true
		return false
	}
	if len(e.open) == 0 {
		e.quiet = make(chan struct{})
	}
	e.open[t] = false
	return true
}

// end hands the ticket back.
func (e *Engine) end(t ticket) {
	e.mu.Lock()
	again := e.open[t]
	delete(e.open, t)
	if len(e.open) == 0 {
		close(e.quiet)
		e.quiet = nil
	}
	e.mu.Unlock()
	// Claimed while it was being worked on: after its lease had run out, or
	// between its update and now. That lease leads to nothing.
	if again {
		e.giveBack(t)
	}
}

// giveBack ends a lease and has the lane looked at again.
func (e *Engine) giveBack(t ticket) {
	e.store.Release(t.lane, t.id)
	e.wake(t.lane, Now())
}

// wake has the scheduler look at a lane at a time. Lanes that no configuration
// names are not looked at.
func (e *Engine) wake(lane Lane, at time.Time) {
	if l := e.plan.Load().lanes[lane]; l != nil && l.wake(at.UnixNano()) {
		signal(e.poke)
	}
}
