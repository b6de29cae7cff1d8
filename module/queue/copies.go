package queue

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// maxCopies is how many copies an event remembers the time of.
	maxCopies = 10

	// maxCopied is how many events have copies that are not stored yet. Those of
	// further events take the place of those that came first.
	maxCopied = 10_000
)

// add returns what is known with the copies that came later. It makes a new slice: a
// store may need the old one, to change the event once more.
func (c Copies) add(later Copies) Copies {
	if later.Count == 0 {
		return c
	}
	last := slices.Concat(c.Last, later.Last)
	return Copies{c.Count + later.Count, slices.Clone(last[max(0, len(last)-maxCopies):])}
}

// copies are those that no store knows yet: a copy must not cost a write. They are
// stored when the event is stored the next time.
type copies struct {
	some atomic.Bool // there may be some

	mu     sync.Mutex
	events *simplelru.LRU[ID, Copies]
}

func newCopies() *copies {
	events, _ := simplelru.NewLRU[ID, Copies](maxCopied, nil) // fails for sizes below 1 only
	return &copies{events: events}
}

// note adds copies of an event.
func (c *copies) note(id ID, later Copies) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, _ := c.events.Peek(id)
	c.events.Add(id, known.add(later))
	c.some.Store(true)
}

// of returns the copies of an event.
func (c *copies) of(id ID) Copies {
	if !c.some.Load() {
		return Copies{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	known, _ := c.events.Peek(id)
	return known
}

// take returns the copies of an event, and forgets them.
func (c *copies) take(id ID) Copies {
	if !c.some.Load() {
		return Copies{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	known, _ := c.events.Peek(id)
	c.events.Remove(id)
	c.some.Store(c.events.Len() > 0)
	return known
}

// Copies returns what is known of the copies of an event, also what is not stored yet.
func (e *Engine) Copies(ev *Event) Copies { return ev.Copies.add(e.copies.of(ev.ID)) }

// copyingStore is a store that stores, with each change of an event, the copies that are
// not stored yet.
type copyingStore struct {
	Store
	copies *copies
}

// Update implements Store.
func (s *copyingStore) Update(ctx context.Context, id ID, change func(*Event) error) error {
	if !s.copies.some.Load() {
		return s.Store.Update(ctx, id, change)
	}
	var taken Copies
	err := s.Store.Update(ctx, id, func(ev *Event) error {
		return s.change(ev, change, &taken)
	})
	if err != nil {
		s.giveBack(id, &taken)
	}
	return err
}

// UpdateAll implements Store.
func (s *copyingStore) UpdateAll(ctx context.Context, ids []ID, change func(*Event) error) error {
	if !s.copies.some.Load() {
		return s.Store.UpdateAll(ctx, ids, change)
	}
	taken := make(map[ID]*Copies)
	err := s.Store.UpdateAll(ctx, ids, func(ev *Event) error {
		if taken[ev.ID] == nil {
			taken[ev.ID] = new(Copies)
		}
		return s.change(ev, change, taken[ev.ID])
	})
	for id, had := range taken {
		if err != nil {
			s.giveBack(id, had)
		}
	}
	return err
}

// change changes an event, and adds the copies that are not stored yet. It may be called
// again with the event as it was, and has taken those of the earlier call then.
func (s *copyingStore) change(ev *Event, change func(*Event) error, taken *Copies) error {
	if err := change(ev); err != nil {
		s.giveBack(ev.ID, taken)
		return err
	}
	*taken = taken.add(s.copies.take(ev.ID))
	if taken.Count > 0 {
		ev.Copies = ev.Copies.add(*taken)
	}
	return nil
}

// giveBack undoes the taking of copies that were not stored.
func (s *copyingStore) giveBack(id ID, taken *Copies) {
	if taken.Count > 0 {
		s.copies.note(id, *taken)
		*taken = Copies{}
	}
}
