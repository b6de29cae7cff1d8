package queue

import (
	"math"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

const (
	maxBatch      = 64  // events claimed at once
	maxUnrecorded = 256 // outcomes that a route may have to record before it waits
)

// routeQueue is what the scheduler takes a route's deliveries from, under one
// configuration. The queue of the empty route only wakes the scheduler: held events come
// out of the source's waiting room.
type routeQueue struct {
	RouteKey
	source  *Source
	route   *Route        // nil: the queue of held events
	limit   int           // attempts at once
	rate    *rate.Limiter // that of the state; nil: no limit
	next    atomic.Int64
	claimed time.Time // when the scheduler claimed last
	*routeState
}

// routeState is what outlives the configuration of a route, and a pause of it. The
// numbers include the attempts that began under an earlier configuration.
type routeState struct {
	claiming   atomic.Bool  // a claim runs; a route has one at a time
	running    atomic.Int64 // attempts that run, or are about to
	unrecorded atomic.Int64 // attempts whose outcome is not stored yet, running ones included
	health     health
	askers     askers
	limiter    *rate.Limiter // made with the first limit; only addQueue uses the field
}

// never is the time at which the scheduler looks at a queue that waits for nothing.
const never = math.MaxInt64

// wake has the scheduler look at the queue at a time, unless the scheduler will look
// earlier. It reports whether that changed anything.
func (q *routeQueue) wake(at int64) bool {
	for {
		next := q.next.Load()
		if next <= at {
			return false
		}
		if q.next.CompareAndSwap(next, at) {
			return true
		}
	}
}

// room returns how many more attempts may begin now, and whether they probe a
// failing route. If there is no room, again is when the clock will make some; the end
// of an attempt may make some earlier.
func (q *routeQueue) room(now time.Time) (n int, probe bool, again int64) {
	running := int(q.running.Load())
	n = min(q.limit-running, q.limit+maxUnrecorded-int(q.unrecorded.Load()))
	_, from, probe := q.health.failing()
	if probe {
		if n = min(n, 1-running); n > 0 && now.Before(from) {
			return 0, probe, from.UnixNano()
		}
	}
	if n > 0 && q.rate != nil {
		tokens := q.rate.TokensAt(now)
		if n = min(n, int(tokens)); n == 0 {
			wait := (1 - tokens) / float64(q.rate.Limit()) * float64(time.Second)
			return 0, probe, now.Add(time.Duration(wait) + time.Millisecond).UnixNano()
		}
	}
	return n, probe, never
}

// forClaims returns how much of the room a claim may take. While the claim runs, the rest
// is for new events whose senders wait.
func (q *routeQueue) forClaims(room int) int {
	if q.route.Ask == nil {
		return room
	}
	return (room + 1) / 2
}

// take reserves up to n attempts, and returns how many it reserved. The caller makes
// each of them, or gives it back.
func (q *routeQueue) take(n int) int {
	for {
		running := q.running.Load()
		n = min(n, q.limit-int(running))
		if n <= 0 {
			return 0
		}
		if q.running.CompareAndSwap(running, running+int64(n)) {
			q.unrecorded.Add(int64(n))
			return n
		}
	}
}

func (q *routeQueue) give(n int) {
	q.running.Add(-int64(n))
	q.unrecorded.Add(-int64(n))
}

// limitTo returns the limiter for a rate, nil for no rate. A route may catch up on one
// second at most. Attempts that began under an earlier rate count.
func (s *routeState) limitTo(perSecond float64) *rate.Limiter {
	if perSecond <= 0 {
		return nil
	}
	limit, burst := rate.Limit(perSecond), max(1, int(perSecond))
	if s.limiter == nil {
		s.limiter = rate.NewLimiter(limit, burst)
	}
	now := Now()
	s.limiter.SetLimitAt(now, limit)
	s.limiter.SetBurstAt(now, burst)
	return s.limiter
}
