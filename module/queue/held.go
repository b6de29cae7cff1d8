package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/share"
)

// errManyHeld says that the address of an event has no place for another one.
var errManyHeld = fmt.Errorf("%w: %w", ErrFull, share.UsedUp("too many events are held"))

// Hold stores an event whose proof is checked by a call that uses it up, and makes the
// first call, unless the provider has asked for a pause or too many calls are under way
// already. The event is stored before the call: whatever happens then, the event is
// neither lost nor delivered unverified. Hold sets State, Deliveries and Check.
//
// Without an error the event is stored, unless the verdict is Forged: Hold has removed
// such an event, and the sender is to be refused. Hold has routed a genuine event. The
// engine checks an undecided one again later.
//
// Errors are those of Append, and ErrFull when too many events are held.
func (e *Engine) Hold(ctx context.Context, ev *Event) (Verdict, error) {
	snap := e.snapshot.Load()
	src, room := snap.source(ev.Source), snap.room(ev.Source)
	ev.State, ev.Deliveries = Held, nil
	if room != nil && !room.enter(ev) {
		return Verdict{}, errManyHeld
	}
	now := Now()
	callable, reason := false, "the source is not configured any more"
	if src != nil && src.Check != nil {
		callable, reason = room.begin(ev.ID, now)
	}
	ev.Check = Check{Due: now, Reason: reason}
	if callable {
		ev.Check = Check{Due: now.Add(e.timing.FirstRecheck), Sent: true, Calls: 1}
	}

	f := inFlight{RouteKey{Source: ev.Source}, ev.ID}
	e.begin(f, nil) // always true: nobody else knows the event yet
	// Another process that shares the store must not make a call as well.
	e.store.Lease(f.route, f.id, now, e.timing.CheckTimeout+e.timing.LeaseMargin)
	if _, err := e.Append(ctx, []*Event{ev}); err != nil {
		e.store.Release(f.route, f.id)
		e.end(f)
		e.leaveHeld(f)
		return Verdict{}, err
	}
	if !callable {
		e.store.Release(f.route, f.id)
		e.end(f)
		e.waitHeld(f, now)
		return Verdict{Judgment: Undecided, Reason: reason}, nil
	}
	verdict := e.call(context.WithoutCancel(ctx), src, ev)
	if verdict.Judgment == Used {
		verdict.Judgment = Forged // no earlier call can have used the proof up
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

// room returns where the source's held events wait.
func (snap *snapshot) room(source string) *waitingRoom {
	if state := snap.sourceStates[source]; state != nil {
		return state.room
	}
	return nil
}

// fillRooms tells the snapshot's waiting rooms of the held events that the store has. It
// returns false if the store could not be read.
func (e *Engine) fillRooms(snap *snapshot) bool {
	rooms, left := make(map[string]*waitingRoom), make(map[string]int64)
	usage := e.store.Usage()
	for name, src := range snap.cfg.Sources {
		if room := snap.room(name); src.Check != nil && !room.isFilled() {
			rooms[name] = room
			if n := usage.Events[name][Held].Count; n > 0 {
				left[name] = n
			}
		}
	}
	if len(left) > 0 {
		if err := e.recallHeld(rooms, left); err != nil {
			e.complain("looking for held events", err)
			return false
		}
	}
	for name, room := range rooms {
		room.setFilled()
		e.wake(RouteKey{Source: name}, Now())
	}
	return true
}

// recallHeld looks for so many held events of each source, from the newest on.
func (e *Engine) recallHeld(rooms map[string]*waitingRoom, left map[string]int64) (err error) {
	listed := e.store.List(e.life, ID{}, func(ev *Event) bool {
		room := rooms[ev.Source]
		if ev.State != Held || room == nil || room.has(ev.ID) {
			return true
		}
		var whole *Event // with the request, which tells the address
		whole, err = e.store.Get(e.life, ev.ID)
		switch {
		case errors.Is(err, ErrUnavailable), errors.Is(err, ErrClosed), e.life.Err() != nil:
			return false
		case err == nil && whole.State == Held:
			room.recall(whole)
		}
		err = nil // gone or damaged
		if left[ev.Source]--; left[ev.Source] <= 0 {
			delete(left, ev.Source)
		}
		return len(left) > 0
	})
	return cmp.Or(err, listed)
}

// lookHeld begins calls for the held events of a source whose turn it is, and returns
// when the clock is a reason to look again.
func (e *Engine) lookHeld(snap *snapshot, q *routeQueue, now time.Time) int64 {
	q.next.Store(never) // first: an event that comes to wait meanwhile wakes the queue again
	room := snap.room(q.Source)
	for {
		id, begun, again := room.next(now)
		switch {
		case begun:
			e.workers.do(func() { e.recheck(snap, q.source, inFlight{q.RouteKey, id}) })
		case again.IsZero():
			return never // the end of a call wakes the scheduler, too
		default:
			return again.UnixNano()
		}
	}
}

// recheck makes a call for a held event, and stores the outcome.
func (e *Engine) recheck(snap *snapshot, src *Source, f inFlight) {
	if !e.begin(f, snap) {
		e.waitHeld(f, Now().Add(e.timing.StoreRetry))
		return
	}
	defer e.end(f)
	if !e.store.Lease(f.route, f.id, Now(), e.timing.CheckTimeout+e.timing.LeaseMargin) {
		e.waitHeld(f, Now().Add(e.timing.LeaseMargin)) // another process makes a call
		return
	}
	ev, err := e.store.Get(e.life, f.id)
	if err == nil && ev.State != Held {
		err = errEnded
	}
	earlier := false // there was a call whose outcome is unknown
	if err == nil {
		earlier = ev.Check.Sent
		ev.Check.Sent = true
		ev.Check.Calls++
		if !earlier {
			err = e.announce(ev)
		}
	}
	if err != nil {
		e.unconcluded(f, err)
		return
	}
	e.conclude(f, ev, earlier, e.call(e.attemptsContext(), src, ev))
}

// waitHeld has a held event wait for its next call.
func (e *Engine) waitHeld(f inFlight, due time.Time) {
	if room := e.snapshot.Load().room(f.route.Source); room != nil {
		room.wait(f.id, due)
	}
	e.wake(f.route, due)
}

// leaveHeld gives back the place of an event that is held no more.
func (e *Engine) leaveHeld(f inFlight) {
	if room := e.snapshot.Load().room(f.route.Source); room != nil {
		room.leave(f.id)
	}
	e.wake(f.route, Now()) // whoever waited for the call to end
}

// unconcluded says what becomes of a held event whose check failed in the store.
func (e *Engine) unconcluded(f inFlight, err error) {
	e.logUnrecorded(f, err)
	if errors.Is(err, errEnded) || errors.Is(err, ErrNotFound) {
		e.leaveHeld(f)
		return
	}
	e.store.Release(f.route, f.id)
	pause := e.timing.LeaseMargin
	if errors.Is(err, ErrUnavailable) {
		pause = e.timing.StoreRetry
	}
	e.waitHeld(f, Now().Add(pause))
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
			r = ruling{Verdict: Verdict{Judgment: Undecided, Sent: true, Reason: fmt.Sprintf("panic: %v", err)}}
		}
	}()
	r.Verdict = src.Check(ctx, ev)
	if r.Judgment == Genuine {
		r.routes = src.Route(ev)
		r.keys = src.keys(ev, r.routes)
	}
	return r
}

// conclude stores what the outcome of a call means for a held event. earlier says that
// the outcome of an earlier call is unknown.
func (e *Engine) conclude(f inFlight, ev *Event, earlier bool, r ruling) {
	now := Now()
	e.noteCall(f, r.Verdict, now)
	var err error
	switch {
	case r.Judgment == Genuine:
		err = e.updateHeld(f, func(ev *Event) {
			ev.SetRoutes(r.routes, now)
			for i := range ev.Deliveries {
				ev.Deliveries[i].Key = r.keys[ev.Deliveries[i].Route]
			}
			ev.Check = Check{}
		})
	case r.Judgment == Forged, r.Judgment == Used && !earlier:
		err = e.reject(f, ev, r.Reason)
	case r.Judgment == Used:
		err = e.updateHeld(f, func(ev *Event) { ev.makeUncertain(r.Reason, now) })
	case now.Sub(ev.ReceivedAt) >= e.timing.CheckFor:
		reason := fmt.Sprintf("gave up after %v: %s", e.timing.CheckFor, r.Reason)
		err = e.updateHeld(f, func(ev *Event) { ev.makeUncertain(reason, now) })
	default:
		due := e.snapshot.Load().room(ev.Source).again(ev, r.Overloaded, now)
		err = e.updateHeld(f, func(stored *Event) {
			stored.Check = Check{
				Due: due, Calls: ev.Check.Calls, Sent: earlier || r.Sent, Reason: r.Reason,
			}
		})
	}
	if err != nil {
		e.unconcluded(f, err)
	}
}

// noteCall tells the waiting room what a call says about the provider.
func (e *Engine) noteCall(f inFlight, v Verdict, now time.Time) {
	snap := e.snapshot.Load()
	state := snap.sourceStates[f.route.Source]
	if pause := state.room.note(v, now); pause > 0 && state.pausing.due() {
		snap.logger.Warn("calls that check held events pause", zap.String("source", f.route.Source),
			zap.Duration("for", pause), zap.String("reason", v.Reason))
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
		e.waitHeld(f, ev.Check.Due)
	} else {
		e.leaveHeld(f)
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
	if err == nil || errors.Is(err, ErrNotFound) {
		e.leaveHeld(f)
		return nil
	}
	return err
}
