package queue

import (
	"context"
	"time"
)

// Left says why an event was left as it is.
type Left string

func (l Left) Error() string { return string(l) }

// The reasons there are.
const (
	LeftBusy     Left = "an attempt is running"
	LeftHeld     Left = "its proof is still being checked"
	LeftUnrouted Left = "no route takes it"
	LeftIdle     Left = "there is nothing to do"
)

// Operation is what an operator has done with an event: [Replay] or [Drop].
type Operation interface {
	// apply changes the event and returns the lanes of the deliveries that it
	// changed, or a Left.
	apply(e *Event, state stateFunc, now time.Time) ([]Lane, error)
}

// stateFunc returns the state of an event's delivery as an operator sees it.
type stateFunc func(*Delivery) DeliveryState

// Task is an operation on an event as it was loaded.
type Task struct {
	Event *Event
	Operation
}

// Ending is what came of a task.
type Ending struct {
	Deliveries int // that were changed
	Parked     int // of them, those that nobody delivers for now
	Err        error
}

// Operate carries out tasks, in one transaction and in their order: of replayed
// deliveries that are to go in order, those of earlier tasks go first. What is
// being worked on by somebody else is left to that.
func (e *Engine) Operate(ctx context.Context, tasks []Task) []Ending {
	endings := make([]Ending, len(tasks))
	index := make(map[ID]int, len(tasks))
	var ids []ID
	mine := make(map[ticket]bool)
	for i, task := range tasks {
		if _, drop := task.Operation.(Drop); drop && task.Event.unproven() {
			endings[i].Err = e.removeUnproven(ctx, task.Event)
			continue
		}
		ids = append(ids, task.Event.ID)
		index[task.Event.ID] = i
		endings[i].Err = ErrNotFound // unless it is met
		e.reserve(task.Event, mine)
	}
	if len(ids) == 0 {
		return endings
	}
	touched := make(map[ID][]Lane)
	now := Now()
	err := e.store.UpdateAll(ctx, ids, func(stored *Event) (err error) {
		i := index[stored.ID]
		if stored.State != Routed && !mine[ticket{Lane{Source: stored.Source}, stored.ID}] {
			err = LeftBusy
		} else {
			touched[stored.ID], err = tasks[i].apply(stored, e.stateFor(stored, mine), now)
		}
		endings[i].Err = err
		return err
	})
	for t := range mine {
		e.end(t)
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

// Try returns how an operation would end, and changes nothing but the event
// that it is given.
func (e *Engine) Try(task Task) Ending {
	if _, drop := task.Operation.(Drop); drop && task.Event.unproven() {
		return Ending{}
	}
	state := func(d *Delivery) DeliveryState { return e.State(task.Event, d) }
	lanes, err := task.apply(task.Event, state, Now())
	return Ending{Deliveries: len(lanes), Err: err}
}

// wakeAll has lanes looked at in which something has changed, be it that what
// waited behind it may go on. It returns how many there are, and how many of
// them nobody looks at.
func (e *Engine) wakeAll(lanes []Lane, now time.Time) (all, parked int) {
	for _, lane := range lanes {
		if l := e.plan.Load().lanes[lane]; l == nil {
			parked++
		} else {
			l.health.hurry()
			signal(e.poke)
		}
		e.wake(lane, now)
	}
	return len(lanes), parked
}

// stateFor returns the states of an event's deliveries for somebody who has
// reserved what nobody works on. The rest is being delivered.
func (e *Engine) stateFor(ev *Event, mine map[ticket]bool) stateFunc {
	lanes := e.plan.Load().lanes
	return func(d *Delivery) DeliveryState {
		lane := Lane{ev.Source, d.Route}
		switch {
		case d.State != Pending:
			return d.State
		case !mine[ticket{lane, ev.ID}]:
			return Delivering
		case lanes[lane] == nil:
			return Parked
		}
		return Pending
	}
}

// reserve takes the tickets for what an event waits for, those that are free.
// Operators that decide about an event which waits for nothing exclude each
// other by the ticket for its check.
func (e *Engine) reserve(ev *Event, mine map[ticket]bool) {
	waits := make(map[Lane]bool)
	for lane := range ev.Waiting {
		waits[lane] = true
	}
	if ev.State != Routed {
		waits[Lane{Source: ev.Source}] = true
	}
	for lane := range waits {
		if t := (ticket{lane, ev.ID}); e.begin(t, nil) {
			mine[t] = true
		}
	}
}
