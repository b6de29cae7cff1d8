package queue

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// maxRetryAfter is the longest pause that a destination may ask for.
const maxRetryAfter = time.Hour

// interruptedPause keeps attempts that say they were interrupted, but not by
// the engine, from being made over and over.
const interruptedPause = time.Second

// settle gives a delivery the outcome of an attempt.
func (r *Route) applyResult(d *Delivery, result Result, number int, began, ended time.Time) {
	if result.Outcome == Interrupted {
		d.Due = ended.Add(interruptedPause)
		return
	}
	d.Attempts, d.Status, d.Reason = number, result.Status, result.Reason
	d.note(Attempt{began, ended.Sub(began), result.Status, result.Reason, result.Outcome})
	switch result.Outcome {
	case Succeeded:
		d.State, d.Ended = Delivered, ended
	case Refused:
		d.deadLetter(result.Reason, r.Hold, ended)
	default:
		deadline := d.Queued.Add(r.For)
		if !ended.Before(deadline) {
			d.deadLetter(r.gaveUp(result.Reason), r.Hold, ended)
			return
		}
		pause := max(r.pause(number), min(result.RetryAfter, maxRetryAfter))
		d.Due = ended.Add(pause)
		if d.Due.After(deadline) {
			d.Due = deadline
		}
	}
}

// gaveUp is the reason of deliveries that were tried for long enough.
func (r *Route) gaveUp(last string) string { return fmt.Sprintf("gave up after %v: %s", r.For, last) }

// pause returns how long to wait after an attempt: a random part of a time that
// doubles with each one, so that deliveries that failed together are not tried
// together.
func (r *Route) pause(number int) time.Duration {
	limit := doubled(r.First, r.Max, number-1)
	if limit <= 0 {
		return 0
	}
	return rand.N(limit + 1)
}

// doubled doubles a duration some times, up to a limit.
func doubled(d, limit time.Duration, times int) time.Duration {
	for ; times > 0 && d < limit; times-- {
		d *= 2
	}
	return min(d, limit)
}
