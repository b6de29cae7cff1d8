package queue

import (
	"time"
)

// keepClean is the janitor: it deletes what has been kept long enough, until the engine
// closes.
func (e *Engine) keepClean() {
	for {
		again := e.timing.Sweep
		if snap := e.snapshot.Load(); !snap.off.Load() {
			e.attaching.Lock()
			known := e.recalled()
			if !known && e.recall() {
				e.renewSnapshot()
			}
			if !e.fillDedup(snap) || !e.fillRooms(snap) || !known {
				again = e.timing.StoreRetry
			}
			e.attaching.Unlock()
			if known {
				e.clean(snap, Now())
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

func (e *Engine) clean(snap *snapshot, now time.Time) {
	for _, a := range snap.sourceStates {
		a.dedup.prune(now)
	}
	keep := snap.cfg.Retention
	keep.MaxBytes = snap.maxSize
	err := e.deadLetterParked(snap, now)
	if err == nil {
		err = e.deadLetterFailing(snap, now)
	}
	if err == nil {
		err = e.store.Expire(e.life, now, keep)
	}
	if err != nil {
		e.complain("clearing away old events", err)
	}
}
