package queue

import (
	"math/rand/v2"
	"time"
)

// RetryPolicy decides how long a failed delivery waits, and for how long it is tried.
// The deadline and the pause that a destination asks for are the engine's matter. [Backoff]
// is the policy that there is; another one takes its place in [Route].Retry.
type RetryPolicy interface {
	// Pause returns how long to wait after a failed attempt. The first attempt has the
	// number 1.
	Pause(attempt int) time.Duration

	// Probe returns how long a failing route waits for its next attempt. failures
	// counts those since the route became a failing one, from 0 on.
	Probe(failures int) time.Duration

	// Lasts returns how long after it was queued a delivery is tried at most. On a
	// failing route a delivery that was never tried becomes a dead letter then.
	Lasts() time.Duration
}

// Backoff is a RetryPolicy whose pauses grow exponentially, with full jitter: each
// pause is a random part of its limit, so that deliveries that failed together are
// not tried together.
type Backoff struct {
	For   time.Duration // how long after it was queued a delivery is tried
	First time.Duration // limit of the first pause; the limit doubles with each attempt,
	Max   time.Duration // up to this one
}

const (
	maxRetryAfter = time.Hour   // the longest pause that a destination may ask for
	maxProbePause = time.Minute // between two probes, unless the destination asks for more
)

// Pause implements RetryPolicy.
func (b Backoff) Pause(attempt int) time.Duration {
	limit := doubled(b.First, b.Max, attempt-1)
	if limit <= 0 {
		return 0
	}
	return rand.N(limit + 1)
}

// Probe implements RetryPolicy. Probes have no jitter: a failing route makes one at
// a time.
func (b Backoff) Probe(failures int) time.Duration {
	return doubled(b.First, min(b.Max, b.For, maxProbePause), failures)
}

// Lasts implements RetryPolicy.
func (b Backoff) Lasts() time.Duration { return b.For }

// nextAttempt returns when a delivery is tried again after a failed attempt, or false if
// that attempt was the last one. The last attempt is made at the deadline.
func (r *Route) nextAttempt(queued time.Time, attempt int, result Result, ended time.Time) (due time.Time, again bool) {
	deadline := queued.Add(r.Retry.Lasts())
	if !ended.Before(deadline) {
		return time.Time{}, false
	}
	due = ended.Add(max(r.Retry.Pause(attempt), result.retryAfter()))
	if due.After(deadline) {
		due = deadline
	}
	return due, true
}

// nextProbe returns when a failing route makes its next attempt.
func (r *Route) nextProbe(failures int, result Result, ended time.Time) time.Time {
	return ended.Add(max(r.Retry.Probe(failures), result.retryAfter()))
}

// retryAfter returns the pause that the destination asked for, as far as it may.
func (r Result) retryAfter() time.Duration { return min(r.RetryAfter, maxRetryAfter) }

// doubled doubles a duration some times, up to a limit.
func doubled(d, limit time.Duration, times int) time.Duration {
	for ; times > 0 && d < limit; times-- {
		d *= 2
	}
	return min(d, limit)
}

// Interface guard
var _ RetryPolicy = Backoff{}
