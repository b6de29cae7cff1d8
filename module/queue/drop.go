package queue

import (
	"context"
	"time"
)

// Drop says which deliveries of an event an operator gives up, of those that wait and
// those that are dead. They become dead letters that hold no key. An event that is held
// or uncertain is removed instead: a later copy of it counts as new.
type Drop struct {
	// Pick chooses deliveries by their state as an operator sees it.
	Pick func(d *Delivery, state DeliveryState) bool
}

// Dropped is the reason of deliveries that an operator gave up.
const Dropped = "dropped by an operator"

func (drop Drop) apply(e *Event, state stateFunc, now time.Time) (routes []RouteKey, err error) {
	left := LeftIdle
	for i := range e.Deliveries {
		d, s := &e.Deliveries[i], state(&e.Deliveries[i])
		ended := now
		switch {
		case s == Delivered, !drop.Pick(d, s), s == Dead && d.Reason == Dropped:
			continue
		case s == Delivering:
			left = LeftBusy
			continue
		case s == Dead:
			ended = d.Ended
		}
		d.deadLetter(Dropped, false, ended)
		routes = append(routes, RouteKey{e.Source, d.Route})
	}
	if routes == nil {
		return nil, left
	}
	return routes, nil
}

// unproven reports whether the proof of the event is not known to be good.
func (e *Event) unproven() bool { return e.State == Held || e.State == Uncertain }

// removeUnproven removes an event that is held or uncertain.
func (e *Engine) removeUnproven(ctx context.Context, ev *Event) error {
	f := inFlight{RouteKey{Source: ev.Source}, ev.ID}
	if !e.begin(f, nil) {
		return LeftBusy
	}
	defer e.end(f)
	stored, err := e.store.Get(ctx, ev.ID) // reserved: nobody else changes the event now
	switch {
	case err != nil:
		return err
	case !stored.unproven():
		return LeftIdle
	}
	if err := e.store.Remove(ctx, ev.ID); err != nil {
		return err
	}
	if account := e.snapshot.Load().sourceStates[ev.Source]; account != nil {
		account.dedup.forget(stored.Dedup.Key, ev.ID)
		account.room.leave(ev.ID)
	}
	return nil
}
