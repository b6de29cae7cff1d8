package queue

import (
	"time"

	"go.uber.org/zap"
)

// schedule hands out deliveries until the engine closes. New events, attempts that end
// and the clock wake it.
func (e *Engine) schedule() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for e.life.Err() == nil {
		wait := time.Unix(0, e.pass(e.snapshot.Load())).Sub(Now())
		if wait <= 0 {
			continue
		}
		timer.Reset(wait)
		select {
		case <-e.poke:
		case <-timer.C:
		case <-e.life.Done():
		}
	}
}

// pass claims once from each queue that has a delivery due and room for an attempt. It
// returns when the next pass is due, if nothing happens before.
func (e *Engine) pass(snap *snapshot) int64 {
	now := Now()
	next := now.Add(e.timing.Poll).UnixNano()
	if snap.off.Load() {
		return next
	}
	for _, q := range snap.queues {
		next = min(next, e.look(snap, q, now))
	}
	return next
}

// gather is how long a busy route lets attempts end before the next claim. A claim of
// one event costs almost as much as one of several.
const gather = time.Millisecond

// look claims from a queue, and returns when the clock is a reason to look again. Each
// claim has a goroutine: reading large events takes a while, and must not hold up the
// other routes.
func (e *Engine) look(snap *snapshot, q *routeQueue, now time.Time) int64 {
	if q.route == nil {
		return e.lookHeld(snap, q, now)
	}
	if due := q.next.Load(); due > now.UnixNano() {
		return due
	}
	if q.claiming.Load() {
		return never // the end of the claim pokes the scheduler
	}
	room, probe, again := q.room(now)
	if room <= 0 {
		q.askers.turnAway(q.askers.seen()...)
		return again // the end of an attempt pokes the scheduler, too
	}
	if ready := q.claimed.Add(gather); room < q.limit/4 && now.Before(ready) {
		return ready.UnixNano()
	}
	q.claimed = now
	q.claiming.Store(true)
	e.background.Go(func() {
		if room := q.take(min(q.forClaims(room), maxBatch)); room > 0 {
			q.give(room - e.claim(snap, q, now, room, probe))
		}
		q.claiming.Store(false)
		signal(e.poke)
	})
	return never
}

// claim begins up to limit attempts of a route, and returns how many. probe says that
// they probe a failing route.
func (e *Engine) claim(snap *snapshot, q *routeQueue, now time.Time, limit int, probe bool) (begun int) {
	q.next.Store(never) // before the claim: an event that arrives during it wakes the queue again
	lease, asked := q.route.Timeout+e.timing.LeaseMargin, q.askers.seen()
	events, next, err := e.store.Claim(e.life, q.RouteKey, now, lease, limit)
	switch {
	case err != nil:
		e.complain("claiming deliveries", err, zap.String("source", q.Source), zap.String("route", q.Route))
		next = now.Add(e.timing.StoreRetry)
	case next.IsZero() || next.After(now.Add(e.timing.Poll)):
		// A lease may end unnoticed: that of a process that has gone.
		next = now.Add(e.timing.Poll)
	case len(events) < limit && !next.After(now): // its lease has ended just now
		next = now.Add(time.Millisecond)
	}
	q.wake(next.UnixNano())
	for _, ev := range events {
		f := inFlight{q.RouteKey, ev.ID}
		if !e.begin(f, snap) {
			continue
		}
		if q.rate != nil {
			q.rate.AllowN(now, 1)
		}
		begun++
		asker := q.askers.take(f.id)
		e.workers.do(func() { e.work(q, f, ev, probe, asker) })
	}
	if next.After(now) {
		q.askers.turnAway(asked...)
	} // else the next claim is about to begin
	return begun
}

// work makes one attempt and records the outcome. The route's next attempt does not wait
// for the record, nor does the asker, if there is one.
func (e *Engine) work(q *routeQueue, f inFlight, ev *Event, probe bool, asker *Asker) {
	record := e.attempt(q, f, ev, probe, asker)
	q.running.Add(-1)
	signal(e.poke)
	record()
	q.unrecorded.Add(-1)
	e.end(f)
	signal(e.poke)
}

// wake has the scheduler look at a route's queue at a time. A route that is paused or
// not configured has no queue.
func (e *Engine) wake(route RouteKey, at time.Time) {
	if q := e.snapshot.Load().queues[route]; q != nil && q.wake(at.UnixNano()) {
		signal(e.poke)
	}
}
