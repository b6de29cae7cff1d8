package memory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// Store is a queue.Store in memory.
type Store struct {
	backend *Backend

	// Guarded by the backend's mutex.
	data   *data
	leases map[leaseKey]time.Time // until when
	hidden map[queue.ID]*unseen   // by the events that are not in sight
	queued []*unseen              // in the order in which they come into sight
	closed bool
}

// leaseKey names an event that waits for a route.
type leaseKey struct {
	route queue.RouteKey
	id    queue.ID
}

// do runs work under the mutex, unless the context or the store has ended.
func (s *Store) do(ctx context.Context, work func(*data) error) error {
	s.backend.mu.Lock()
	defer s.backend.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.closed {
		return queue.ErrClosed
	}
	return work(s.data)
}

// Append implements queue.Store.
func (s *Store) Append(ctx context.Context, events []*queue.Event, visible func()) ([]*queue.Duplicate, error) {
	for _, e := range events {
		if e.Request == nil {
			return nil, errors.New("event has no request")
		}
	}
	return nil, s.do(ctx, func(d *data) error {
		u := &unseen{visible: visible}
		for _, e := range events {
			e.Size = e.Request.Size()
			if d.events[e.ID] != nil {
				continue
			}
			stored := clone(e)
			d.replace(nil, stored)
			d.setDedup(nil, stored)
			s.hidden[e.ID], u.ids = u, append(u.ids, e.ID)
		}
		s.queued = append(s.queued, u)
		if s.backend.Lag == 0 || len(u.ids) == 0 {
			s.revealUpTo(u)
			return nil
		}
		time.AfterFunc(s.backend.Lag, func() {
			s.backend.mu.Lock()
			defer s.backend.mu.Unlock()
			s.revealUpTo(u)
		})
		return nil
	})
}

// unseen are events of one request that are not in sight yet.
type unseen struct {
	ids     []queue.ID
	visible func() // nil: they are in sight
}

// revealUpTo brings events into sight in the order in which they were appended, up
// to some that may be in sight already.
func (s *Store) revealUpTo(u *unseen) {
	for u.visible != nil {
		s.reveal(s.queued[0])
		s.queued = s.queued[1:]
	}
}

// reveal brings events into sight, if they are not yet. No events are in sight.
func (s *Store) reveal(u *unseen) {
	if u == nil || u.visible == nil {
		return
	}
	for _, id := range u.ids {
		delete(s.hidden, id)
	}
	visible := u.visible
	u.visible = nil
	visible()
}

// Update implements queue.Store.
func (s *Store) Update(ctx context.Context, id queue.ID, change func(*queue.Event) error) error {
	return s.do(ctx, func(d *data) error {
		e := d.events[id]
		if e == nil {
			return queue.ErrNotFound
		}
		s.reveal(s.hidden[id])
		after, err := changed(e, change)
		if err == nil {
			s.put(e, after)
		}
		return err
	})
}

// UpdateAll implements queue.Store. An event whose change panics stays as it was.
func (s *Store) UpdateAll(ctx context.Context, ids []queue.ID, change func(*queue.Event) error) error {
	return s.do(ctx, func(d *data) error {
		for _, id := range ids {
			if e := d.events[id]; e != nil {
				s.reveal(s.hidden[id])
				if after, err := changed(e, change); err == nil {
					s.put(e, after)
				}
			}
		}
		return nil
	})
}

// changed returns what an event is after a change.
func changed(e *queue.Event, change func(*queue.Event) error) (after *queue.Event, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic while changing event %s: %v", e.ID, p)
		}
	}()
	after = withoutRequest(e)
	if err := change(after); err != nil {
		return nil, err
	}
	if after.ID != e.ID || after.Source != e.Source || after.Size != e.Size {
		return nil, fmt.Errorf("changing event %s: its ID, source and size are fixed", e.ID)
	}
	after = withoutRequest(after) // whoever changed it may keep it
	after.Request = e.Request
	return after, nil
}

// put stores what an event is after a change. Leases end on routes that the event
// does not wait for any more, or waits for with another due time or key.
func (s *Store) put(before, after *queue.Event) {
	s.endLeases(before, after)
	s.data.replace(before, after)
	s.data.setDedup(before, after)
}

func (s *Store) endLeases(before, after *queue.Event) {
	for route, due := range before.Waiting {
		waits := false
		if after != nil {
			for r, d := range after.Waiting {
				waits = waits || r == route && d.Equal(due) && keyOf(before, route) == keyOf(after, route)
			}
		}
		if !waits {
			delete(s.leases, leaseKey{route, before.ID})
		}
	}
}

// Remove implements queue.Store.
func (s *Store) Remove(ctx context.Context, id queue.ID) error {
	return s.do(ctx, func(d *data) error {
		if d.events[id] == nil {
			return queue.ErrNotFound
		}
		s.delete(id)
		delete(d.dedup, id)
		return nil
	})
}

// delete deletes an event, but not its dedup entry.
func (s *Store) delete(id queue.ID) {
	e := s.data.events[id]
	s.reveal(s.hidden[id])
	s.endLeases(e, nil)
	s.data.replace(e, nil)
}

// Get implements queue.Store.
func (s *Store) Get(ctx context.Context, id queue.ID) (e *queue.Event, err error) {
	err = s.do(ctx, func(d *data) error {
		if d.events[id] == nil {
			return queue.ErrNotFound
		}
		e = clone(d.events[id])
		return nil
	})
	return e, err
}

// Claim implements queue.Store.
func (s *Store) Claim(ctx context.Context, route queue.RouteKey, now time.Time, lease time.Duration, limit int) (claimed []*queue.Event, next time.Time, err error) {
	err = s.do(ctx, func(d *data) error {
		for _, w := range s.claimable(route, now) {
			if w.due.After(now) || len(claimed) == limit {
				next = w.due
				break
			}
			s.leases[leaseKey{route, w.event.ID}] = now.Add(lease)
			claimed = append(claimed, clone(w.event))
		}
		return nil
	})
	return claimed, next, err
}

// waiting is an event that waits for a route.
type waiting struct {
	event *queue.Event
	due   time.Time
}

// claimable returns the events in sight that wait for a route, are first in their
// FIFO and not leased, those that are due first coming first.
func (s *Store) claimable(route queue.RouteKey, now time.Time) (found []waiting) {
	for _, id := range s.data.ids {
		e := s.data.events[id]
		if e.Source != route.Source || s.hidden[id] != nil || s.leases[leaseKey{route, id}].After(now) {
			continue
		}
		for r, due := range e.Waiting {
			if r == route && s.data.onTurn(e, route) {
				found = append(found, waiting{e, due})
			}
		}
	}
	slices.SortStableFunc(found, func(a, b waiting) int { return a.due.Compare(b.due) })
	return found
}

// Lease implements queue.Store.
func (s *Store) Lease(route queue.RouteKey, id queue.ID, now time.Time, lease time.Duration) bool {
	s.backend.mu.Lock()
	defer s.backend.mu.Unlock()
	key := leaseKey{route, id}
	if s.leases[key].After(now) {
		return false
	}
	s.leases[key] = now.Add(lease)
	return true
}

// Release implements queue.Store.
func (s *Store) Release(route queue.RouteKey, id queue.ID) {
	s.backend.mu.Lock()
	defer s.backend.mu.Unlock()
	delete(s.leases, leaseKey{route, id})
}

// List implements queue.Store.
func (s *Store) List(ctx context.Context, before queue.ID, yield func(*queue.Event) bool) error {
	return s.walk(ctx, before, false, yield)
}

// Ascend implements queue.Store.
func (s *Store) Ascend(ctx context.Context, after queue.ID, yield func(*queue.Event) bool) error {
	return s.walk(ctx, after, true, yield)
}

// walk yields one event after the other beyond an ID. The mutex is free while
// yield runs.
func (s *Store) walk(ctx context.Context, from queue.ID, up bool, yield func(*queue.Event) bool) error {
	for {
		var e *queue.Event
		err := s.do(ctx, func(d *data) error {
			if e = d.beyond(from, up); e != nil {
				e = withoutRequest(e)
			}
			return nil
		})
		if err != nil || e == nil || !yield(e) {
			return err
		}
		from = e.ID
	}
}

// Oldest implements queue.Store.
func (s *Store) Oldest(ctx context.Context) (oldest map[queue.RouteKey]queue.ID, err error) {
	oldest = make(map[queue.RouteKey]queue.ID)
	err = s.do(ctx, func(d *data) error {
		for _, id := range d.ids {
			for route := range d.events[id].Waiting {
				if _, older := oldest[route]; !older {
					oldest[route] = id
				}
			}
		}
		return nil
	})
	return oldest, err
}

// Remembered implements queue.Store.
func (s *Store) Remembered(ctx context.Context, now time.Time, yield func(source string, id queue.ID, d queue.Dedup) bool) error {
	var entries []dedupEntry
	err := s.do(ctx, func(d *data) error {
		entries = slices.SortedFunc(maps.Values(d.dedup), func(a, b dedupEntry) int {
			return cmp.Or(a.Until.Compare(b.Until), compare(a.id, b.id))
		})
		return nil
	})
	for _, e := range entries {
		if e.Until.After(now) && !yield(e.source, e.id, e.Dedup) {
			break
		}
	}
	return err
}

// Expire implements queue.Store.
func (s *Store) Expire(ctx context.Context, now time.Time, keep queue.Retention) error {
	return s.do(ctx, func(d *data) error {
		for _, id := range d.expired(now, keep) {
			s.delete(id)
		}
		maps.DeleteFunc(d.dedup, func(_ queue.ID, e dedupEntry) bool { return !e.Until.After(now) })
		return nil
	})
}

// SetPaused implements queue.Store.
func (s *Store) SetPaused(ctx context.Context, route queue.RouteKey, paused bool) error {
	return s.do(ctx, func(d *data) error {
		if delete(d.paused, route); paused {
			d.paused[route] = true
		}
		return nil
	})
}

// Paused implements queue.Store.
func (s *Store) Paused() (routes []queue.RouteKey, err error) {
	err = s.do(context.Background(), func(d *data) error {
		routes = slices.Collect(maps.Keys(d.paused))
		return nil
	})
	return routes, err
}

// Usage implements queue.Store. It takes none of the disk.
func (s *Store) Usage() queue.Usage {
	s.backend.mu.Lock()
	defer s.backend.mu.Unlock()
	u := queue.Usage{
		Deliveries: make(map[queue.RouteKey]map[queue.DeliveryState]int64),
		Events:     make(map[string]map[queue.EventState]queue.Counter),
	}
	for _, e := range s.data.events {
		u.Total = plus(u.Total, e.Size)
		if u.Events[e.Source] == nil {
			u.Events[e.Source] = make(map[queue.EventState]queue.Counter)
		}
		u.Events[e.Source][e.State] = plus(u.Events[e.Source][e.State], e.Size)
		for i := range e.Deliveries {
			route := queue.RouteKey{Source: e.Source, Route: e.Deliveries[i].Route}
			if u.Deliveries[route] == nil {
				u.Deliveries[route] = make(map[queue.DeliveryState]int64)
			}
			u.Deliveries[route][e.Deliveries[i].State]++
		}
	}
	return u
}

// plus counts one more event.
func plus(n queue.Counter, size int64) queue.Counter {
	return queue.Counter{Count: n.Count + 1, Bytes: n.Bytes + size}
}

// Undelivered implements queue.Store.
func (s *Store) Undelivered(source string) (ofSource, ofAll int64) {
	s.backend.mu.Lock()
	defer s.backend.mu.Unlock()
	for id, e := range s.data.events {
		if class, _ := e.Class(); class == queue.Done || s.hidden[id] != nil {
			continue
		}
		ofAll += e.Size
		if e.Source == source {
			ofSource += e.Size
		}
	}
	return ofSource, ofAll
}

// Close implements queue.Store. The backend keeps what the store held.
func (s *Store) Close() error {
	return s.do(context.Background(), func(*data) error {
		for _, u := range s.hidden {
			s.reveal(u)
		}
		s.closed, s.backend.open = true, false
		return nil
	})
}

// Interface guard
var _ queue.Store = (*Store)(nil)
