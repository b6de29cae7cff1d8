package queue

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"go.uber.org/zap"
)

// Nothing vouches for held events yet, so a source may have only so many.
const (
	maxHeld      = 1000
	maxHeldBytes = 64 << 20
)

// Hold stores an event whose proof is checked by a call that uses it up, and makes the
// first call. The event is stored before the call: whatever happens then, the event is
// neither lost nor delivered unverified. Hold sets State, Deliveries and Check.
//
// Without an error the event is stored, unless the verdict is Forged: Hold has removed
// such an event, and the sender is to be refused. Hold has routed a genuine event. The
// engine checks an undecided one again later.
//
// Errors are those of Append, and ErrFull when too many events are held.
func (e *Engine) Hold(ctx context.Context, ev *Event) (Verdict, error) {
	src := e.snapshot.Load().source(ev.Source)
	callable := src != nil && src.Check != nil
	ev.State, ev.Deliveries = Held, nil
	ev.Check = Check{Due: Now().Add(e.timing.FirstRecheck)}
	if callable {
		ev.Check.Sent, ev.Check.Calls = true, 1
	}

	f := inFlight{RouteKey{Source: ev.Source}, ev.ID}
	e.begin(f, nil) // always true: nobody else knows the event yet
	// A claim during the call would load the event as it was before the call.
	e.store.Lease(f.route, f.id, Now(), e.timing.CheckTimeout+e.timing.LeaseMargin)
	if err := e.appendHeld(ctx, ev); err != nil {
		e.store.Release(f.route, f.id)
		e.end(f)
		return Verdict{}, err
	}
	if !callable {
		e.store.Release(f.route, f.id)
		e.end(f)
		return Verdict{Finding: Undecided, Reason: "the source is not configured any more"}, nil
	}
	verdict := e.call(context.WithoutCancel(ctx), src, ev)
	if verdict.Finding == Used {
		verdict.Finding = Forged // no earlier call can have used the proof up
	}

	// The sender need not wait for a store that has become unavailable: the store
	// has the event.
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer e.end(f)
		e.conclude(f, ev, false, verdict)
	}()
	within(done, e.timing.CheckTimeout)
	return verdict.Verdict, nil
}

// appendHeld appends a held event if the source may have one more.
func (e *Engine) appendHeld(ctx context.Context, ev *Event) error {
	if account := e.snapshot.Load().sourceStates[ev.Source]; account != nil {
		size := ev.Request.Size()
		defer account.holding.events.Add(-1)
		defer account.holding.bytes.Add(-size)
		events, bytes := account.holding.events.Add(1), account.holding.bytes.Add(size)
		held := e.store.Usage().Events[ev.Source][Held]
		if held.Count+events > maxHeld || held.Bytes+bytes > maxHeldBytes {
			return ErrFull
		}
	}
	return e.Append(ctx, ev)
}

// recheck checks a held event once more, and returns a function that records the
// outcome.
func (e *Engine) recheck(src *Source, f inFlight, ev *Event) (record func()) {
	if ev.State != Held {
		return func() {}
	}
	earlier := ev.Check.Sent // the outcome of an earlier call is unknown
	ev.Check.Sent = true
	ev.Check.Calls++
	if !earlier {
		if err := e.announce(ev); err != nil {
			return func() { e.logUnrecorded(f, err) }
		}
	}
	verdict := e.call(e.attemptsContext(), src, ev)
	return func() { e.conclude(f, ev, earlier, verdict) }
}

// announce stores that a call is about to be made.
func (e *Engine) announce(ev *Event) error {
	return e.store.Update(context.Background(), ev.ID, func(stored *Event) error {
		stored.Check.Sent, stored.Check.Calls = true, ev.Check.Calls
		return nil
	})
}

// ruling is a verdict and, for a genuine event, the routes that take it, with the keys
// for those that keep an order.
type ruling struct {
	Verdict
	routes []string
	keys   map[string]string
}

// call asks the provider and, about a genuine event, the rules.
func (e *Engine) call(ctx context.Context, src *Source, ev *Event) (r ruling) {
	ctx, cancel := context.WithTimeout(ctx, e.timing.CheckTimeout)
	defer cancel()
	defer func() {
		if err := recover(); err != nil {
			e.snapshot.Load().logger.Error("checking held event panicked", zap.String("source", ev.Source),
				zap.Any("panic", err), zap.ByteString("stack", debug.Stack()))
			r = ruling{Verdict: Verdict{Finding: Undecided, Sent: true, Reason: fmt.Sprintf("panic: %v", err)}}
		}
	}()
	r.Verdict = src.Check(ctx, ev)
	if r.Finding == Genuine {
		r.routes = src.Route(ev)
		r.keys = src.keys(ev, r.routes)
	}
	return r
}

// conclude stores what the outcome of a call means for a held event. earlier says that
// the outcome of an earlier call is unknown.
func (e *Engine) conclude(f inFlight, ev *Event, earlier bool, r ruling) {
	now := Now()
	var err error
	switch {
	case r.Finding == Genuine:
		err = e.updateHeld(f, func(ev *Event) {
			ev.SetRoutes(r.routes, now)
			for i := range ev.Deliveries {
				ev.Deliveries[i].Key = r.keys[ev.Deliveries[i].Route]
			}
			ev.Check = Check{}
		})
	case r.Finding == Forged, r.Finding == Used && !earlier:
		err = e.reject(f, ev, r.Reason)
	case r.Finding == Used:
		err = e.updateHeld(f, func(ev *Event) { ev.makeUncertain(r.Reason, now) })
	case now.Sub(ev.ReceivedAt) >= e.timing.CheckFor:
		reason := fmt.Sprintf("gave up after %v: %s", e.timing.CheckFor, r.Reason)
		err = e.updateHeld(f, func(ev *Event) { ev.makeUncertain(reason, now) })
	default:
		pause := doubled(e.timing.FirstRecheck, e.timing.LongestRecheck, ev.Check.Calls-1)
		err = e.updateHeld(f, func(stored *Event) {
			stored.Check = Check{
				Due: now.Add(pause), Calls: ev.Check.Calls, Sent: earlier || r.Sent, Reason: r.Reason,
			}
		})
	}
	if err != nil {
		e.logUnrecorded(f, err)
	}
}

// updateHeld changes a held event, and wakes the routes that the event waits for then.
func (e *Engine) updateHeld(f inFlight, change func(*Event)) error {
	ev, err := e.update(f.id, func(ev *Event) error {
		if ev.State != Held {
			return errEnded
		}
		change(ev)
		return nil
	})
	if err != nil {
		return err
	}
	if ev.State == Held {
		e.store.Release(f.route, f.id) // an update that leaves the due time leaves the lease
	}
	for route, due := range ev.Waiting {
		e.wake(route, due)
	}
	return nil
}

// reject removes a forged event. A later copy of it is checked anew.
func (e *Engine) reject(f inFlight, ev *Event, reason string) error {
	snap := e.snapshot.Load()
	snap.logger.Info("held event is forged", zap.String("source", ev.Source),
		zap.Stringer("event", ev.ID), zap.String("reason", reason))
	if account := snap.sourceStates[ev.Source]; account != nil {
		account.dedup.forget(ev.Dedup.Key, ev.ID)
	}
	err := e.persist(func() error { return e.store.Remove(context.Background(), f.id) })
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}
