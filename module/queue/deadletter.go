package queue

import (
	"fmt"
	"time"
)

// On a failing route most deliveries get no last attempt that would end them. They
// become dead letters after the same time as on a healthy one: those that were never
// tried after each probe, and all of them when the janitor comes round.

// deadLetterUntried ends deliveries of a failing route that have had no attempt since they
// were queued, longer ago than the route retries. Their due time is still the time at which
// they were queued.
func (e *Engine) deadLetterUntried(q *routeQueue) {
	why, _, failing := q.health.failing()
	if snap := e.snapshot.Load(); failing && snap.queues[q.RouteKey] == q {
		if err := e.deadLetterDue(snap, q.RouteKey, Now(), q.route.Retry.Lasts(), q.route.timedOutReason(why)); err != nil {
			e.complain("giving up deliveries", err)
		}
	}
}

// deadLetterFailing ends the deliveries of all failing routes that have waited for as
// long as their route tries.
func (e *Engine) deadLetterFailing(snap *snapshot, now time.Time) error {
	for _, q := range snap.queues {
		if why, _, failing := q.health.failing(); failing {
			if err := e.deadLetterTried(snap, q, q.route.timedOutReason(why), now); err != nil {
				return err
			}
			e.deadLetterUntried(q)
		}
	}
	return nil
}

// deadLetterTried ends the deliveries of a failing route that were tried, which is why
// they are due later than they were queued. It looks through all events that are old
// enough. Deliveries that were never tried are left to deadLetterUntried: they may stand
// behind a dead letter that holds their key.
func (e *Engine) deadLetterTried(snap *snapshot, q *routeQueue, reason string, now time.Time) error {
	first, waits := e.oldestIDs(e.life)[q.RouteKey]
	if !waits {
		return nil
	}
	deadline := now.Add(-q.route.Retry.Lasts())
	overdue := func(d *Delivery) bool {
		return d.State == Pending && d.Due.After(d.Queued) && !d.Queued.After(deadline)
	}
	clear(first[8:]) // the earliest ID of that millisecond, to begin with the event itself
	return e.store.Ascend(e.life, first, func(ev *Event) bool {
		if timeOf(ev.ID).After(deadline) || !e.inForce(snap) {
			return false
		}
		d, f := ev.Delivery(q.Route), inFlight{q.RouteKey, ev.ID}
		if ev.Source != q.Source || d == nil || !overdue(d) || !e.begin(f, nil) {
			return true
		}
		defer e.end(f)
		e.recordOutcome(f, func(d *Delivery) {
			if overdue(d) { // an operator may have replayed the delivery meanwhile
				d.deadLetter(reason, q.route.Hold, now)
			}
		})
		return true
	})
}

// deadLetter makes a dead letter of a delivery. hold says that the dead letter holds its
// key, if the delivery has one.
func (d *Delivery) deadLetter(reason string, hold bool, now time.Time) {
	d.State, d.Ended, d.Reason = Dead, now, reason
	d.Holds = hold && d.Key != ""
}

// deadLetterParked ends what has waited too long for a route that has no queue: one that
// is paused or not configured.
func (e *Engine) deadLetterParked(snap *snapshot, now time.Time) error {
	keep := snap.cfg.Retention.Failed
	reason := fmt.Sprintf("parked for %v", keep)
	usage := e.store.Usage()
	for route, states := range usage.Deliveries {
		if states[Pending] > 0 && snap.queues[route] == nil {
			if err := e.deadLetterDue(snap, route, now, keep, reason); err != nil {
				return err
			}
		}
	}
	for source, states := range usage.Events {
		if route := (RouteKey{Source: source}); states[Held].Count > 0 && snap.queues[route] == nil {
			if err := e.deadLetterDue(snap, route, now, keep, reason); err != nil {
				return err
			}
		}
	}
	return nil
}

// deadLetterDue ends what has been due in a route for longer than keep.
func (e *Engine) deadLetterDue(snap *snapshot, route RouteKey, now time.Time, keep time.Duration, reason string) error {
	hold := snap.holds(route)
	for e.inForce(snap) {
		// The claim looks back by keep, so its lease must last for keep, and longer.
		events, _, err := e.store.Claim(e.life, route, now.Add(-keep), keep+e.timing.LeaseMargin, maxBatch)
		if err != nil || len(events) == 0 {
			return err
		}
		for _, ev := range events {
			e.deadLetterOne(inFlight{route, ev.ID}, reason, hold, now)
		}
	}
	return nil
}

// timedOutReason is the reason of a delivery that was tried for long enough.
func (r *Route) timedOutReason(last string) string {
	return fmt.Sprintf("gave up after %v: %s", r.Retry.Lasts(), last)
}

func (e *Engine) deadLetterOne(f inFlight, reason string, hold bool, now time.Time) {
	if f.route.Route != "" {
		e.recordOutcome(f, func(d *Delivery) { d.deadLetter(reason, hold, now) })
		return
	}
	if err := e.updateHeld(f, func(ev *Event) { ev.makeUncertain(reason, now) }); err != nil {
		e.logUnrecorded(f, err)
	}
}
