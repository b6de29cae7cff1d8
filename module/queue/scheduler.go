package queue

import (
	"time"

	"go.uber.org/zap"
)

// schedule hands out deliveries until the engine closes. It is woken by events
// that arrive, by attempts that end, and by the clock.
func (e *Engine) schedule() {
	clock := time.NewTimer(0)
	defer clock.Stop()
	for e.life.Err() == nil {
		wait := time.Unix(0, e.pass(e.plan.Load())).Sub(Now())
		if wait <= 0 {
			continue
		}
		clock.Reset(wait)
		select {
		case <-e.poke:
		case <-clock.C:
		case <-e.life.Done():
		}
	}
}

// pass claims once from each lane that has something due and an attempt free.
// It returns when the next pass is to be made, if nothing happens before.
func (e *Engine) pass(p *plan) int64 {
	now := Now()
	next := now.Add(e.pace.Poll).UnixNano()
	if p.off.Load() {
		return next
	}
	for _, l := range p.lanes {
		next = min(next, e.look(p, l, now))
	}
	return next
}

// gather is how long a busy lane lets attempts end, so that it claims several
// events at once: a claim of one costs almost as much.
const gather = time.Millisecond

// look claims from a lane, and returns when the clock will be reason to look
// again. Claims have goroutines of their own: reading large events takes a
// while, and must not hold up the other lanes.
func (e *Engine) look(p *plan, l *lane, now time.Time) int64 {
	if due := l.next.Load(); due > now.UnixNano() {
		return due
	}
	if l.claiming.Load() {
		return never // the end of the claim pokes
	}
	room, probe, again := l.room(now)
	if room <= 0 {
		return again // so does the end of an attempt
	}
	if ready := l.claimed.Add(gather); room < l.limit/4 && now.Before(ready) {
		return ready.UnixNano()
	}
	l.claimed = now
	l.claiming.Store(true)
	e.workers.Go(func() {
		if room := l.take(min(room, maxBatch)); room > 0 {
			l.give(room - e.claim(p, l, now, room, probe))
		}
		l.claiming.Store(false)
		signal(e.poke)
	})
	return never
}

// claim begins up to limit attempts of a lane, and returns how many. probe tells
// that they are to find out whether its route is failing still.
func (e *Engine) claim(p *plan, l *lane, now time.Time, limit int, probe bool) (begun int) {
	l.next.Store(never) // before the claim: what arrives during it wakes the lane again
	lease := l.timeout(e.pace) + e.pace.Settle
	events, next, err := e.store.Claim(e.life, l.Lane, now, lease, limit)
	switch {
	case err != nil:
		e.complain("claiming deliveries", err, zap.String("source", l.Source), zap.String("route", l.Route))
		next = now.Add(e.pace.Pause)
	case next.IsZero() || next.After(now.Add(e.pace.Poll)):
		// Leases may end without a word: those of a process that has gone.
		next = now.Add(e.pace.Poll)
	case len(events) < limit && !next.After(now): // somebody let go of it just now
		next = now.Add(time.Millisecond)
	}
	l.wake(next.UnixNano())
	for _, ev := range events {
		t := ticket{l.Lane, ev.ID}
		if !e.begin(t, p) {
			continue
		}
		if l.rate != nil {
			l.rate.AllowN(now, 1)
		}
		begun++
		e.crew.do(func() { e.work(l, t, ev, probe) })
	}
	return begun
}

// work makes one attempt at what an event waits for in a lane, and records its
// outcome. The next attempt of the lane need not wait for the record.
func (e *Engine) work(l *lane, t ticket, ev *Event, probe bool) {
	var record func()
	if l.route == nil {
		record = e.recheck(l.source, t, ev)
	} else {
		record = e.attempt(l, t, ev, probe)
	}
	l.running.Add(-1)
	signal(e.poke)
	record()
	l.unsettled.Add(-1)
	e.end(t)
	signal(e.poke)
}
