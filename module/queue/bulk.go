package queue

import (
	"context"
	"time"
)

// Left says why an event was left as it is.
type Left string

func (l Left) Error() string { return string(l) }

// The reasons to leave an event as it is.
const (
	LeftBusy     Left = "an attempt is running"
	LeftHeld     Left = "its proof is still being checked"
	LeftUnrouted Left = "no route takes it"
	LeftIdle     Left = "there is nothing to do"
)

// Operation is what an operator does with events: a [Replay] or a [Drop].
type Operation interface {
	// apply changes the event, and returns the routes of the deliveries that it
	// changed. Its error is a Left.
	apply(e *Event, state stateFunc, now time.Time) ([]RouteKey, error)
}

// stateFunc returns the state of an event's delivery as an operator sees it.
type stateFunc func(*Delivery) DeliveryState

// Task is an operation on an event as the operator loaded it.
type Task struct {
	Event *Event
	Operation
}

// Ending is what came of a task.
type Ending struct {
	Deliveries int // how many the task changed
	Parked     int // how many of them have a route that is paused or not configured
	Err        error
}

// Bulk carries out tasks, in one transaction and in their order: where replayed
// deliveries go in order, those of earlier tasks go first. Deliveries that are being
// attempted stay as they are.
func (e *Engine) Bulk(ctx context.Context, tasks []Task) []Ending {
	endings := make([]Ending, len(tasks))
	index := make(map[ID]int, len(tasks))
	var ids []ID
	mine := make(map[inFlight]bool)
	for i, task := range tasks {
		if _, drop := task.Operation.(Drop); drop && task.Event.unproven() {
			endings[i].Err = e.removeUnproven(ctx, task.Event)
			continue
		}
		ids = append(ids, task.Event.ID)
		index[task.Event.ID] = i
		endings[i].Err = ErrNotFound // unless the store has the event
		e.reserve(task.Event, mine)
	}
	if len(ids) == 0 {
		return endings
	}
	touched := make(map[ID][]RouteKey)
	now := Now()
	err := e.store.UpdateAll(ctx, ids, func(stored *Event) (err error) {
		i := index[stored.ID]
		switch {
		case stored.State != Routed && !mine[inFlight{RouteKey{Source: stored.Source}, stored.ID}]:
			err = LeftBusy
		case stored.State == Uncertain && tasks[i].Event.State == Held:
			err = LeftHeld // the operator has not seen yet that nobody vouches for the event
		default:
			touched[stored.ID], err = tasks[i].apply(stored, e.stateFor(stored, mine), now)
		}
		endings[i].Err = err
		return err
	})
	for f := range mine {
		e.end(f)
	}
	for id, i := range index {
		if err != nil {
			endings[i].Err = err
		}
		if endings[i].Err == nil {
			endings[i].Deliveries, endings[i].Parked = e.wakeAll(touched[id], now)
		}
	}
	return endings
}

// Try returns how a task would end. It changes the task's event, and nothing else.
func (e *Engine) Try(task Task) Ending {
	if _, drop := task.Operation.(Drop); drop && task.Event.unproven() {
		return Ending{}
	}
	state := func(d *Delivery) DeliveryState { return e.State(task.Event, d) }
	routes, err := task.apply(task.Event, state, Now())
	return Ending{Deliveries: len(routes), Err: err}
}

// wakeAll wakes the routes in which deliveries have changed: those, or the ones behind
// them, may be due. It returns how many routes there are, and how many have no queue.
func (e *Engine) wakeAll(routes []RouteKey, now time.Time) (all, parked int) {
	for _, route := range routes {
		if q := e.snapshot.Load().queues[route]; q == nil {
			parked++
		} else {
			q.health.hurry()
			signal(e.poke)
		}
		e.wake(route, now)
	}
	return len(routes), parked
}

// stateFor returns the states of an event's deliveries for a caller who has reserved
// them. What the caller could not reserve is being delivered.
func (e *Engine) stateFor(ev *Event, mine map[inFlight]bool) stateFunc {
	queues := e.snapshot.Load().queues
	return func(d *Delivery) DeliveryState {
		route := RouteKey{ev.Source, d.Route}
		switch {
		case d.State != Pending:
			return d.State
		case !mine[inFlight{route, ev.ID}]:
			return Delivering
		case queues[route] == nil:
			return Parked
		}
		return Pending
	}
}

// reserve begins all that an event waits for, as far as nobody else has begun it. For
// an event that waits for nothing it begins the check, so that operators exclude each
// other.
func (e *Engine) reserve(ev *Event, mine map[inFlight]bool) {
	waits := make(map[RouteKey]bool)
	for route := range ev.Waiting {
		waits[route] = true
	}
	if ev.State != Routed {
		waits[RouteKey{Source: ev.Source}] = true
	}
	for route := range waits {
		if f := (inFlight{route, ev.ID}); e.begin(f, nil) {
			mine[f] = true
		}
	}
}
