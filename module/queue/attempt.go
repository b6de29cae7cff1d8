package queue

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"go.uber.org/zap"
)

// errEnded says that a delivery, or the check of a held event, has ended already.
var errEnded = errors.New("delivery has ended")

// attempt makes one attempt at an event's delivery to the queue's route. It returns a
// function that records the outcome, and that keeps nothing of the request in memory.
func (e *Engine) attempt(q *routeQueue, f inFlight, ev *Event, probe bool, asker *Asker) (record func()) {
	r := q.route
	d := ev.Delivery(f.route.Route)
	if d == nil || d.State != Pending {
		if asker != nil {
			asker.end(nil, Queued)
		}
		return func() {} // the lease keeps the event from being claimed again at once
	}
	number := d.Attempts + 1
	attempts := e.attemptsContext()
	began := time.Now()
	result := e.deliver(attempts, r, ev, number, asker)
	took, ended := time.Since(began), Now()
	if asker != nil {
		asker.tell(result)
	}
	observer := e.snapshot.Load().observer
	observer.Attempted(f.route.Source, f.route.Route, result.Outcome, took)
	if result.Outcome == Succeeded {
		observer.Delivered(f.route.Source, f.route.Route, ended.Sub(d.Queued))
	}
	if result.Outcome == Interrupted && attempts.Err() != nil {
		return func() { e.giveBack(f) } // the attempt does not count
	}
	e.examine(q, result, probe, ended)
	return func() {
		e.recordOutcome(f, func(d *Delivery) { r.applyResult(d, result, number, began, ended) })
		if probe && result.Outcome == Retry && !result.Unsent {
			e.deadLetterUntried(q)
		}
	}
}

// interruptedPause is how long a delivery waits after an Interrupted attempt. Without it a
// handler that always reports Interrupted would be called in a tight loop.
const interruptedPause = time.Second

// applyResult changes a delivery by the result of an attempt.
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
		due, again := r.nextAttempt(d.Queued, number, result, ended)
		if !again {
			d.deadLetter(r.timedOutReason(result.Reason), r.Hold, ended)
			return
		}
		d.Due = due
	}
}

// deliver runs the route's Deliver or Ask under its timeout, and recovers its panics.
func (e *Engine) deliver(attempts context.Context, r *Route, ev *Event, number int, asker *Asker) (result Result) {
	ctx, cancel := context.WithTimeout(attempts, r.Timeout)
	defer cancel()
	defer func() {
		if err := recover(); err != nil {
			e.snapshot.Load().logger.Error("delivering panicked", zap.String("source", ev.Source),
				zap.Any("panic", err), zap.ByteString("stack", debug.Stack()))
			result = Result{Reason: fmt.Sprintf("panic: %v", err)}
		}
		if result.Outcome == "" {
			result.Outcome = Retry
		}
		if result.Outcome == Retry && attempts.Err() != nil {
			result.Outcome = Interrupted // the attempt had no chance to succeed
		}
		if result.Outcome == Succeeded {
			result.Reason = ""
		}
		result.Reason = shortened(result.Reason)
	}()
	if asker != nil && r.Ask != nil {
		return r.Ask(ctx, ev, number, asker.Waits)
	}
	return r.Deliver(ctx, ev, number)
}

// maxReason is how many bytes of a reason are stored. Some reasons quote what an
// upstream has sent.
const maxReason = 256

func shortened(reason string) string {
	if len(reason) <= maxReason {
		return reason
	}
	return strings.ToValidUTF8(reason[:maxReason], "") + "..."
}

// attemptsContext returns the context of all attempts. A reload does not cancel it.
func (e *Engine) attemptsContext() context.Context {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.attempts
}

// recordOutcome stores a change of a pending delivery, and tells who waits for it.
func (e *Engine) recordOutcome(f inFlight, change func(*Delivery)) {
	ev, err := e.update(f.id, func(ev *Event) error {
		d := ev.Delivery(f.route.Route)
		if d == nil || d.State != Pending {
			return errEnded // somebody else has decided about the delivery
		}
		change(d)
		return nil
	})
	if err != nil {
		e.logUnrecorded(f, err)
		return
	}
	d := ev.Delivery(f.route.Route)
	if d.State == Dead {
		e.snapshot.Load().observer.Died(ev, d)
	}
	switch {
	case d.State == Pending:
		e.wake(f.route, d.Due)
	case d.Key != "":
		e.wake(f.route, Now()) // the next delivery with the key may go
	}
}

// logUnrecorded logs that an outcome could not be stored. When the lease has run out
// the work is done once more.
func (e *Engine) logUnrecorded(f inFlight, err error) {
	switch {
	case errors.Is(err, errEnded), errors.Is(err, ErrNotFound): // no update will end the lease
		e.store.Release(f.route, f.id)
		return
	case errors.Is(err, ErrClosed):
		return
	}
	e.snapshot.Load().logger.Error("recording outcome failed", zap.Stringer("event", f.id),
		zap.String("source", f.route.Source), zap.String("route", f.route.Route), zap.Error(err))
}
