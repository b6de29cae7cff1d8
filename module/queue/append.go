package queue

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Append stores the events of one request, all of them or none. Their deliveries are
// handed out from then on. The caller sets all of an event but Size, see
// [Event.SetRoutes]. Append returns without an error only when a crash or a power cut can
// no longer undo that. The results are those of [Store.Append].
//
// Append does not end early with ctx: a sender who has gone will send the events again,
// and the copies must be known as duplicates if the events were stored.
//
// Append returns ErrFull when the events would take more space than they may: all
// undelivered events together no more than the backend's maximum (a little less, except
// for sources whose provider never retries), those of one source no more than half of
// it. Other errors are those of the store.
func (e *Engine) Append(ctx context.Context, events []*Event) ([]*Duplicate, error) {
	space, err := e.admit(events)
	if err != nil {
		return nil, err
	}
	a := &appending{engine: e, space: space}
	a.events = append(a.one[:0], events...)
	results, err := e.store.Append(context.WithoutCancel(ctx), a.events, a.visible)
	if err != nil {
		space.free()
		return nil, fmt.Errorf("storing event: %w", err)
	}
	a.fastPath(results)
	return results, nil
}

// reservation is space for events that are being appended. The store counts the events
// only when they are committed.
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

// admit reserves space for the events of a request, or returns ErrFull.
func (e *Engine) admit(events []*Event) (reservation, error) {
	snap, source := e.snapshot.Load(), events[0].Source
	r := reservation{engine: e, account: snap.sourceStates[source]}
	for _, ev := range events {
		r.size += ev.Request.Size()
	}

	// Reserve first, then ask the store: an event that is committed in between
	// counts twice, never not at all.
	ofAll, ofSource := e.reserved.Add(r.size), r.size
	if r.account != nil {
		ofSource = r.account.reserved.Add(r.size)
	}
	storedOfSource, stored := e.store.Undelivered(source)

	limit := snap.maxSize
	if src := snap.source(source); src == nil || !src.LastToRefuse {
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
