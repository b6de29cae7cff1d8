package queue

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Append stores an event, whose deliveries are handed out from then on. The caller sets
// all of the event but Size, see [Event.SetRoutes]. Append returns nil only when a
// crash or a power cut can no longer undo that.
//
// Append does not end early with ctx: a sender who has gone will send the event again,
// and the copy must be known as a duplicate if the event was stored.
//
// Append returns ErrFull when the event would take more space than it may: all
// undelivered events together no more than the backend's maximum (a little less, except
// for sources whose provider never retries), those of one source no more than half of
// it. Other errors are those of the store.
func (e *Engine) Append(ctx context.Context, ev *Event) error {
	space, err := e.admit(ev)
	if err != nil {
		return err
	}
	a := &appending{engine: e, event: ev, space: space}
	if err := e.store.Append(context.WithoutCancel(ctx), ev, a.visible); err != nil {
		space.free()
		return fmt.Errorf("storing event: %w", err)
	}
	a.fastPath()
	return nil
}

// reservation is space for an event that is being appended. The store counts the event
// only when it is committed.
type reservation struct {
	engine  *Engine
	account *sourceState
	size    int64
}

func (r reservation) free() {
	r.engine.reserved.Add(-r.size)
	if r.account != nil {
		r.account.reserved.Add(-r.size)
	}
}

// admit reserves space for an event, or returns ErrFull.
func (e *Engine) admit(ev *Event) (reservation, error) {
	snap := e.snapshot.Load()
	r := reservation{e, snap.sourceStates[ev.Source], ev.Request.Size()}

	// Reserve first, then ask the store: an event that is committed in between
	// counts twice, never not at all.
	ofAll, ofSource := e.reserved.Add(r.size), r.size
	if r.account != nil {
		ofSource = r.account.reserved.Add(r.size)
	}
	storedOfSource, stored := e.store.Undelivered(ev.Source)

	limit := snap.maxSize
	if src := snap.source(ev.Source); src == nil || !src.LastToRefuse {
		limit -= limit / 10
	}
	if ofAll+stored > limit || ofSource+storedOfSource > snap.maxSize/2 {
		r.free()
		return reservation{}, ErrFull
	}
	return r, nil
}

// Size estimates how many bytes the request takes in a store.
func (r *Request) Size() int64 {
	const perRequest, perValue = 128, 8
	if r == nil {
		return perRequest
	}
	n := perRequest + len(r.Host) + len(r.URI) + len(r.Body)
	for name, values := range r.Header {
		n += len(name)
		for _, value := range values {
			n += perValue + len(value)
		}
	}
	return int64(n)
}

// Revive is what a copy of an event brings about: the engine counts the copy, and queues
// the dead deliveries of the event again, which is what a provider's "redeliver" button
// means. It returns how many there were. An event that is gone has none.
func (e *Engine) Revive(ctx context.Context, id ID) (int, error) {
	// Most duplicates are of events without a dead letter, which must not cost a write.
	ev, err := e.store.Get(ctx, id)
	now := Now()
	if err == nil {
		e.copies.note(id, Copies{1, []time.Time{now}})
	}
	if err == nil && !ev.hasDeadLetter() {
		return 0, nil
	}
	var revived []RouteKey
	if err == nil {
		err = e.store.Update(context.WithoutCancel(ctx), id, func(ev *Event) error {
			revived = revived[:0]
			for i := range ev.Deliveries {
				if d := &ev.Deliveries[i]; d.State == Dead {
					d.requeue(now)
					revived = append(revived, RouteKey{ev.Source, d.Route})
				}
			}
			return nil
		})
	}
	switch {
	case errors.Is(err, ErrNotFound):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("reviving event: %w", err)
	}
	for _, route := range revived {
		e.wake(route, now)
	}
	return len(revived), nil
}
