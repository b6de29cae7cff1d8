package queue

import (
	"math/rand/v2"
	"time"
)

// RetryPolicy decides what follows a failed attempt. [Backoff] is the policy that
// there is; another one takes its place in [Route].Retry.
type RetryPolicy interface {
	// Next returns when a delivery is tried again. again is false when the delivery
	// is given up: it becomes a dead letter.
	Next(f Failure) (due time.Time, again bool)

	// Probe returns how long a failing route waits for its next attempt. failures
	// counts those since the route became a failing one, from 0 on.
	Probe(failures int, last Result) time.Duration

	// Lasts returns how long after it was queued a delivery is tried at most. On a
	// failing route the engine gives deliveries up by it without a last attempt.
	Lasts() time.Duration
}

// Failure is a failed attempt at a delivery.
type Failure struct {
	Queued  time.Time // when the delivery joined the queue
	Attempt int       // number of the attempt, the first one being 1
	Ended   time.Time // when the attempt ended
	Result  Result    // what the destination answered
}

// Backoff is a RetryPolicy whose pauses grow exponentially, with full jitter: each
// pause is a random part of its limit, so that deliveries that failed together are
// not tried together. A destination may ask for a longer pause.
type Backoff struct {
	For   time.Duration // how long after it was queued a delivery is tried
	First time.Duration // limit of the first pause; the limit doubles with each attempt,
	Max   time.Duration // up to this one
}

const (
	maxRetryAfter = time.Hour   // the longest pause that a destination may ask for
	maxProbePause = time.Minute // between two probes, unless the destination asks for more
)

// Next implements RetryPolicy. The last attempt is made when b.For is over.
func (b Backoff) Next(f Failure) (due time.Time, again bool) {
	deadline := f.Queued.Add(b.For)
	if !f.Ended.Before(deadline) {
		return time.Time{}, false
	}
	due = f.Ended.Add(max(b.pause(f.Attempt), f.Result.retryAfter()))
	if due.After(deadline) {
		due = deadline
	}
	return due, true
}

// pause returns how long to wait after an attempt.
func (b Backoff) pause(attempt int) time.Duration {
	limit := doubled(b.First, b.Max, attempt-1)
	if limit <= 0 {
		return 0
	}
	return rand.N(limit + 1)
}

// Probe implements RetryPolicy. Probes have no jitter: a failing route makes one at
// a time.
func (b Backoff) Probe(failures int, last Result) time.Duration {
	return max(doubled(b.First, min(b.Max, b.For, maxProbePause), failures), last.retryAfter())
}

// Lasts implements RetryPolicy.
func (b Backoff) Lasts() time.Duration { return b.For }

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
