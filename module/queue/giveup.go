package queue

import "time"

// On a failing route most deliveries get no last attempt that would end them.
// They are given up after the same time: those that were never tried after each
// probe and when the janitor comes round, the others when it does.

// giveUp goes by due times: what was never tried is due since it was queued.
func (e *Engine) giveUp(l *lane) {
	why, _, failing := l.health.failing()
	if p := e.plan.Load(); failing && p.lanes[l.Lane] == l {
		if err := e.bury(p, l.Lane, Now(), l.route.For, l.route.gaveUp(why)); err != nil {
			e.complain("giving up deliveries", err)
		}
	}
}

// giveUpAll ends what has waited for failing routes as long as it may.
func (e *Engine) giveUpAll(p *plan, now time.Time) error {
	for _, l := range p.lanes {
		if why, _, failing := l.health.failing(); failing {
			if err := e.giveUpTried(p, l, l.route.gaveUp(why), now); err != nil {
				return err
			}
			e.giveUp(l)
		}
	}
	return nil
}

// giveUpTried looks through the events that are old enough: what was tried has
// been put off, and is due only behind all that was not. The rest is left to
// giveUp: it may stand behind a dead letter that holds its key.
func (e *Engine) giveUpTried(p *plan, l *lane, reason string, now time.Time) error {
	oldest, waits := e.oldestIDs(e.life)[l.Lane]
	if !waits {
		return nil
	}
	deadline := now.Add(-l.route.For)
	overdue := func(d *Delivery) bool {
		return d.State == Pending && d.Due.After(d.Queued) && !d.Queued.After(deadline)
	}
	clear(oldest[8:]) // the walk starts above it
	return e.store.Ascend(e.life, oldest, func(ev *Event) bool {
		if timeOf(ev.ID).After(deadline) || !e.inForce(p) {
			return false
		}
		d, t := ev.Delivery(l.Route), ticket{l.Lane, ev.ID}
		if ev.Source != l.Source || d == nil || !overdue(d) || !e.begin(t, nil) {
			return true
		}
		defer e.end(t)
		e.settle(t, func(d *Delivery) {
			if overdue(d) { // still
				d.kill(reason, l.route.Hold, now)
			}
		})
		return true
	})
}
