package queue

import (
	"fmt"
	"time"
)

// keepClean clears away what has been kept long enough, until the engine
// closes.
func (e *Engine) keepClean() {
	for {
		again := e.pace.Sweep
		if p := e.plan.Load(); !p.off.Load() {
			e.attaching.Lock()
			known := e.recalled()
			if !known && e.recall() {
				e.replan()
			}
			if !e.fillWindows(p) || !known {
				again = e.pace.Pause
			}
			e.attaching.Unlock()
			if known {
				e.clean(p, Now())
			}
		}
		select {
		case <-e.sweep:
		case <-time.After(again):
		case <-e.life.Done():
			return
		}
	}
}

func (e *Engine) clean(p *plan, now time.Time) {
	for _, a := range p.accounts {
		a.window.prune(now)
	}
	keep := p.cfg.Retention
	keep.MaxBytes = p.maxSize
	err := e.buryParked(p, now)
	if err == nil {
		err = e.giveUpAll(p, now)
	}
	if err == nil {
		err = e.store.Expire(e.life, now, keep)
	}
	if err != nil {
		e.complain("clearing away old events", err)
	}
}

// buryParked ends what has waited too long for a lane that the configuration
// does not name.
func (e *Engine) buryParked(p *plan, now time.Time) error {
	keep := p.cfg.Retention.Failed
	reason := fmt.Sprintf("parked for %v", keep)
	usage := e.store.Usage()
	for lane, states := range usage.Deliveries {
		if states[Pending] > 0 && p.lanes[lane] == nil {
			if err := e.bury(p, lane, now, keep, reason); err != nil {
				return err
			}
		}
	}
	for source, states := range usage.Events {
		if lane := (Lane{Source: source}); states[Held].Count > 0 && p.lanes[lane] == nil {
			if err := e.bury(p, lane, now, keep, reason); err != nil {
				return err
			}
		}
	}
	return nil
}

// bury ends what has been due in a lane for longer than it is kept.
func (e *Engine) bury(p *plan, lane Lane, now time.Time, keep time.Duration, reason string) error {
	hold := p.holds(lane)
	for e.inForce(p) {
		// Looking that far back, the lease must be as much longer.
		events, _, err := e.store.Claim(e.life, lane, now.Add(-keep), keep+e.pace.Settle, maxBatch)
		if err != nil || len(events) == 0 {
			return err
		}
		for _, ev := range events {
			e.buryOne(ticket{lane, ev.ID}, reason, hold, now)
		}
	}
	return nil
}

func (e *Engine) buryOne(t ticket, reason string, hold bool, now time.Time) {
	if t.lane.Route != "" {
		e.settle(t, func(d *Delivery) { d.kill(reason, hold, now) })
		return
	}
	if err := e.updateHeld(t, func(ev *Event) { ev.doubt(reason, now) }); err != nil {
		e.unrecorded(t, err)
	}
}

// fillWindows gives the plan's dedup windows what the store remembers, those
// that do not have it yet. It returns false if the store could not be read.
func (e *Engine) fillWindows(p *plan) bool {
	empty := make(map[string]*window)
	for source := range p.cfg.Sources {
		if w := &p.accounts[source].window; !w.isFilled() {
			empty[source] = w
		}
	}
	if len(empty) == 0 {
		return true
	}
	fill := func(source string, id ID, d Dedup) bool {
		if w := empty[source]; w != nil {
			w.fill(d.Key, remembered{id, d.Body, d.Until.UnixNano()})
		}
		return true
	}
	if err := e.store.Remembered(e.life, Now(), fill); err != nil {
		e.complain("filling dedup windows", err)
		return false
	}
	for _, w := range empty {
		w.setFilled()
	}
	return true
}
