package queue

import (
	"context"
	"time"
)

// Dropped is the reason of deliveries that an operator gave up.
const Dropped = "dropped by an operator"

// Drop ends those deliveries of an event, as it was loaded, that wait and are
// picked. An event that is held or uncertain is removed: a later copy of it is
// taken for new. Drop returns how many deliveries it ended, and a Left if it
// did nothing.
func (e *Engine) Drop(ctx context.Context, ev *Event, pick func(d *Delivery, state DeliveryState) bool) (int, error) {
	if ev.State == Held || ev.State == Uncertain {
		return e.dropUnproven(ctx, ev)
	}
	var lanes []Lane
	now := time.Now()
	err := e.operate(ctx, ev, func(stored *Event, state stateFunc) (err error) {
		lanes, err = dropWaiting(stored, pick, state, now)
		return err
	})
	if err != nil {
		return 0, err
	}
	for _, lane := range lanes {
		e.wake(lane, now) // what waited behind it may go on
	}
	return len(lanes), nil
}

// TryDrop returns what Drop would, and changes nothing but the event it is
// given.
func (e *Engine) TryDrop(ev *Event, pick func(d *Delivery, state DeliveryState) bool) (int, error) {
	if ev.State == Held || ev.State == Uncertain {
		return 0, nil
	}
	lanes, err := dropWaiting(ev, pick, e.stateOf(ev), time.Now())
	return len(lanes), err
}

func dropWaiting(e *Event, pick func(*Delivery, DeliveryState) bool, state stateFunc, now time.Time) (lanes []Lane, err error) {
	left := LeftIdle
	for i := range e.Deliveries {
		d, s := &e.Deliveries[i], state(&e.Deliveries[i])
		switch {
		case d.State != Pending || !pick(d, s):
		case s == Delivering:
			left = LeftBusy
		default:
			d.State, d.Ended, d.Reason = Dead, now, Dropped
			lanes = append(lanes, Lane{e.Source, d.Route})
		}
	}
	if lanes == nil {
		return nil, left
	}
	return lanes, nil
}

// dropUnproven removes an event that is held or uncertain.
func (e *Engine) dropUnproven(ctx context.Context, ev *Event) (int, error) {
	t := ticket{Lane{Source: ev.Source}, ev.ID}
	if !e.begin(t, nil) {
		return 0, LeftBusy
	}
	defer e.end(t)
	stored, err := e.store.Get(ctx, ev.ID) // as it is now that nobody else may change it
	switch {
	case err != nil:
		return 0, err
	case stored.State != Held && stored.State != Uncertain:
		return 0, LeftIdle
	}
	if err := e.store.Remove(ctx, ev.ID); err != nil {
		return 0, err
	}
	if account := e.plan.Load().accounts[ev.Source]; account != nil {
		account.window.forget(stored.Dedup.Key, ev.ID)
	}
	return 0, nil
}
