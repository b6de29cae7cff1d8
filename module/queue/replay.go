package queue

import (
	"context"
	"slices"
	"time"
)

// Left says why an operator's replay or drop left an event as it is.
type Left string

func (l Left) Error() string { return string(l) }

// The reasons there are.
const (
	LeftBusy     Left = "an attempt is running"
	LeftHeld     Left = "its proof is still being checked"
	LeftUnrouted Left = "no route takes it"
	LeftIdle     Left = "there is nothing to do"
)

// Replay says which deliveries of an event an operator sends again, and where to.
type Replay struct {
	// Pick chooses deliveries by their state as an operator sees it. Of an event
	// that has none, because it is unrouted or uncertain, nothing is chosen.
	Pick func(d *Delivery, state DeliveryState) bool

	// To are the routes that get the event in place of those of the chosen
	// deliveries. Those that were delivered stay beside the new ones. nil stands
	// for the routes of the chosen deliveries themselves.
	To []string
}

// Replay queues deliveries of an event again, as it was loaded. They join the
// end of the queue, and those that wait become due. It returns how many there
// are, and a Left if there is none. Dedup windows have no say in it.
func (e *Engine) Replay(ctx context.Context, ev *Event, r Replay) (int, error) {
	var lanes []Lane
	now := time.Now()
	err := e.operate(ctx, ev, func(stored *Event, state stateFunc) (err error) {
		lanes, err = r.apply(stored, state, now)
		return err
	})
	if err != nil {
		return 0, err
	}
	for _, lane := range lanes {
		e.wake(lane, now)
	}
	return len(lanes), nil
}

// TryReplay returns what Replay would, and changes nothing but the event it is
// given.
func (e *Engine) TryReplay(ev *Event, r Replay) (int, error) {
	lanes, err := r.apply(ev, e.stateOf(ev), time.Now())
	return len(lanes), err
}

// stateFunc returns the state of an event's delivery as an operator sees it.
type stateFunc func(*Delivery) DeliveryState

func (e *Engine) stateOf(ev *Event) stateFunc {
	return func(d *Delivery) DeliveryState { return e.State(ev, d) }
}

// operate changes an event while nobody works on it. What somebody works on
// already is delivering to change, whatever it was when the event was loaded.
func (e *Engine) operate(ctx context.Context, ev *Event, change func(*Event, stateFunc) error) error {
	mine := e.reserve(ev)
	defer func() {
		for t := range mine {
			e.end(t)
		}
	}()
	plan := e.plan.Load()
	return e.store.Update(ctx, ev.ID, func(stored *Event) error {
		if stored.State != Routed && !mine[ticket{Lane{Source: stored.Source}, stored.ID}] {
			return LeftBusy
		}
		return change(stored, func(d *Delivery) DeliveryState {
			lane := Lane{stored.Source, d.Route}
			switch {
			case d.State != Pending:
				return d.State
			case !mine[ticket{lane, stored.ID}]:
				return Delivering
			case plan.lanes[lane] == nil:
				return Parked
			}
			return Pending
		})
	})
}

// reserve takes the tickets for what an event waits for, those that are free.
// Operators that decide about an event which waits for nothing exclude each
// other by the ticket for its check.
func (e *Engine) reserve(ev *Event) map[ticket]bool {
	mine := make(map[ticket]bool)
	take := func(lane Lane) {
		if t := (ticket{lane, ev.ID}); !mine[t] && e.begin(t, nil) {
			mine[t] = true
		}
	}
	for lane := range ev.Waiting {
		take(lane)
	}
	if ev.State != Routed {
		take(Lane{Source: ev.Source})
	}
	return mine
}

// apply replays the event, and returns the lanes of the deliveries that were
// queued.
func (r *Replay) apply(e *Event, state stateFunc, now time.Time) (lanes []Lane, err error) {
	switch {
	case e.State == Held:
		return nil, LeftHeld
	case e.State != Routed || r.To != nil:
		return r.redirect(e, state, now)
	}
	left := LeftIdle
	for i := range e.Deliveries {
		d, s := &e.Deliveries[i], state(&e.Deliveries[i])
		switch {
		case !r.Pick(d, s):
		case s == Delivering:
			left = LeftBusy
		default:
			d.again(now)
			lanes = append(lanes, Lane{e.Source, d.Route})
		}
	}
	if lanes == nil {
		return nil, left
	}
	return lanes, nil
}

// redirect replays the event to the routes of r.To. A chosen delivery that has
// not ended well makes room for them.
func (r *Replay) redirect(e *Event, state stateFunc, now time.Time) (lanes []Lane, err error) {
	if len(r.To) == 0 {
		return nil, LeftUnrouted
	}
	var kept []Delivery
	var moved Delivery // the first one that makes room
	chosen := make(map[string]bool)
	for i := range e.Deliveries {
		d, s := &e.Deliveries[i], state(&e.Deliveries[i])
		chosen[d.Route] = r.Pick(d, s)
		switch {
		case !chosen[d.Route], s == Delivered, slices.Contains(r.To, d.Route):
			kept = append(kept, *d)
		case s == Delivering:
			return nil, LeftBusy
		case moved.Route == "":
			moved = *d
		}
	}
	e.State, e.Deliveries = Routed, kept
	left := LeftIdle
	for _, route := range r.To {
		d := e.Delivery(route)
		switch {
		case d == nil:
			fresh := newDelivery(route, now)
			fresh.Log, fresh.Replays, fresh.From = moved.Log, moved.Replays, moved.Route
			e.Deliveries = append(e.Deliveries, fresh)
			d = &e.Deliveries[len(e.Deliveries)-1]
		case state(d) == Delivering:
			left = LeftBusy
			continue
		case !chosen[route] && d.State != Dead:
			continue
		}
		d.again(now)
		lanes = append(lanes, Lane{e.Source, route})
	}
	if lanes == nil {
		return nil, left
	}
	return lanes, nil
}

// again queues a delivery once more for an operator. One that waits becomes due.
func (d *Delivery) again(now time.Time) {
	d.Replays++
	d.Replayed = now
	if d.State != Pending {
		d.State, d.Queued, d.Due, d.Ended, d.Attempts = Pending, now, now, time.Time{}, 0
	} else if d.Due.After(now) {
		d.Due = now
	}
}
