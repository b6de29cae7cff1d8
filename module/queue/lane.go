package queue

import (
	"math"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

const (
	maxBatch     = 64  // events claimed at once
	maxUnsettled = 256 // outcomes that a lane may have to record before it waits
	maxChecks    = 4   // calls at once that check held events of a source
)

// lane is a Lane under a configuration.
type lane struct {
	Lane
	source  *Source
	route   *Route        // nil: held events to be checked
	limit   int           // attempts at once
	rate    *rate.Limiter // the load's; nil: no limit
	next    atomic.Int64
	claimed time.Time // when it was claimed from last; the scheduler's
	*load
}

// load is what outlives the configuration of a lane, and its pauses: it counts
// the attempts, those that began under an earlier one included.
type load struct {
	claiming  atomic.Bool  // a claim runs, the only one of the lane
	running   atomic.Int64 // attempts that run, or are about to
	unsettled atomic.Int64 // attempts whose outcome is not stored yet, running ones included
	health    health
	limiter   *rate.Limiter // made with the first limit; only addLane asks for it
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

// room returns how many more attempts may begin now, and whether they probe a
// failing route. If there is none, again is when the clock will change that; an
// attempt that ends may do so, too.
func (l *lane) room(now time.Time) (n int, probe bool, again int64) {
	running := int(l.running.Load())
	n = min(l.limit-running, l.limit+maxUnsettled-int(l.unsettled.Load()))
	_, from, probe := l.health.failing()
	if probe {
		if n = min(n, 1-running); n > 0 && now.Before(from) {
			return 0, probe, from.UnixNano()
		}
	}
	if n > 0 && l.rate != nil {
		tokens := l.rate.TokensAt(now)
		if n = min(n, int(tokens)); n == 0 {
			wait := (1 - tokens) / float64(l.rate.Limit()) * float64(time.Second)
			return 0, probe, now.Add(time.Duration(wait) + time.Millisecond).UnixNano()
		}
	}
	return n, probe, never
}

// take reserves up to n attempts, and returns how many it got. Each is given back,
// or made.
func (l *lane) take(n int) int {
	for {
		running := l.running.Load()
		n = min(n, l.limit-int(running))
		if n <= 0 {
			return 0
		}
		if l.running.CompareAndSwap(running, running+int64(n)) {
			l.unsettled.Add(int64(n))
			return n
		}
	}
}

func (l *lane) give(n int) {
	l.running.Add(-int64(n))
	l.unsettled.Add(-int64(n))
}

// limitTo returns what keeps attempts to so many a second, nil if nothing is to.
// They may catch up on no more than a second, and those that began under an
// earlier limit count.
func (l *load) limitTo(perSecond float64) *rate.Limiter {
	if perSecond <= 0 {
		return nil
	}
	limit, burst := rate.Limit(perSecond), max(1, int(perSecond))
	if l.limiter == nil {
		l.limiter = rate.NewLimiter(limit, burst)
	}
	now := Now()
	l.limiter.SetLimitAt(now, limit)
	l.limiter.SetBurstAt(now, burst)
	return l.limiter
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
	if p != nil && !e.inForce(p) {
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
