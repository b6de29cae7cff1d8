package queue

import (
	"context"
	"math"
	"sync"
	"time"
)

// Flight is the way of a delivery's first copy to the store. Keep or Release ends it;
// later calls of either do nothing.
type Flight struct {
	dedup *dedupWindow // nil: nothing is remembered of the delivery
	Identity

	// beside says that the delivery has the ID of another one, whose key is first.
	// Identity is a key for the delivery alone then.
	beside bool
	first  DedupKey

	// Guarded by the window's mutex.
	landed chan struct{} // made for the first copy that waits, closed at the end of the flight
	ended  bool
	kept   bool
	id     ID   // of the event
	forged bool // the event turned out to be so during the flight
}

// dedupWindow remembers the deliveries of a source. It forgets the oldest one first.
type dedupWindow struct {
	mu         sync.Mutex
	entries    *dedupEntries
	limit      int
	length     time.Duration
	stored     bool // the store has the entries, too
	filled     bool // it has what the store has
	conflicted bool // it may have deliveries beside others of the same ID
	flights    map[DedupKey]*Flight
	evicted    func(enough int)
	conflict   func(first, second ID)
}

// dedupEntry is an entry of a dedup window. It is small and has no pointers: there may
// be a million entries.
type dedupEntry struct {
	id    ID
	body  BodyDigest
	until int64 // Unix nanoseconds
}

// noFlight serves all deliveries of which nothing is remembered.
var noFlight = new(Flight)

// Enter asks whether a delivery of a source came before. The first copy gets a Flight. A
// copy that arrives during that flight waits for the end of the flight. If the flight
// was kept the copy is a duplicate: it gets no Flight, but the ID of the event, which is
// zero if the event was not stored. If the flight was released, one of the copies is the
// first one now.
//
// A delivery with the key of another one and with another body is no copy: it gets a
// Flight with an Identity of its own.
//
// The error is that of the context, or ErrUnavailable: until the engine has read the
// store it does not know what to remember, nor what time it is if the clock was set back.
func (e *Engine) Enter(ctx context.Context, source string, delivery Identity) (*Flight, ID, error) {
	snap := e.snapshot.Load()
	src, state := snap.source(source), snap.sourceStates[source]
	switch {
	case state == nil, src != nil && src.stored() && !e.recalled():
		return nil, ID{}, ErrUnavailable
	case src != nil && src.Window <= 0, delivery == Identity{}:
		return noFlight, ID{}, nil
	}
	return state.dedup.enter(ctx, delivery)
}

func (w *dedupWindow) enter(ctx context.Context, delivery Identity) (*Flight, ID, error) {
	for {
		w.mu.Lock()
		if !w.filled {
			w.mu.Unlock()
			return nil, ID{}, ErrUnavailable
		}
		f := Flight{dedup: w, Identity: delivery}
		r, kept, earlier := w.find(&f)
		if kept {
			w.mu.Unlock()
			return nil, r.id, nil
		}
		if earlier == nil {
			flight := new(Flight)
			*flight = f
			w.flights[f.Key] = flight
			w.conflicted = w.conflicted || f.beside
			w.mu.Unlock()
			return flight, ID{}, nil
		}
		if earlier.landed == nil {
			earlier.landed = make(chan struct{})
		}
		w.mu.Unlock()
		select {
		case <-earlier.landed:
		case <-ctx.Done():
			return nil, ID{}, ctx.Err()
		}
		if earlier.kept {
			return nil, earlier.id, nil
		}
	}
}

// find looks for an earlier copy of a delivery: its entry, or its flight. find gives f
// the identity under which the delivery is to be remembered.
func (w *dedupWindow) find(f *Flight) (r dedupEntry, kept bool, earlier *Flight) {
	r, kept, earlier = w.at(f.Key)
	known := kept || earlier != nil
	another := kept && r.body.differs(f.Body) || earlier != nil && earlier.Body.differs(f.Body)
	if !another && (known || !w.conflicted || f.Body == BodyDigest{}) {
		return r, kept, earlier
	}
	beside := f.Identity.beside()
	r, kept, earlier = w.at(beside)
	if another || kept || earlier != nil {
		f.beside, f.first, f.Identity = true, f.Key, Identity{Key: beside}
	}
	return r, kept, earlier
}

// at returns the entry, or the flight, that has a key. An entry whose time is over is
// removed.
func (w *dedupWindow) at(key DedupKey) (r dedupEntry, kept bool, flight *Flight) {
	if r, kept = w.entries.get(key); kept && Now().UnixNano() >= r.until {
		w.entries.remove(key)
		r, kept = dedupEntry{}, false
	}
	return r, kept, w.flights[key]
}

// Entry returns the entry that the event of an ID is to be stored with.
func (f *Flight) Entry(id ID, until time.Time) Dedup {
	if f.dedup == nil {
		return Dedup{}
	}
	f.dedup.mu.Lock()
	defer f.dedup.mu.Unlock()
	f.id = id
	return Dedup{f.Identity, until}
}

// Keep remembers the delivery until a time, under the ID of its event: the zero ID if
// the event is not stored. What was found to be forged meanwhile is not remembered.
func (f *Flight) Keep(id ID, until time.Time) {
	f.end(func(w *dedupWindow) (enough int) {
		if f.forged {
			return 0
		}
		f.kept, f.id = true, id
		return w.add(f.Key, dedupEntry{id, f.Body, until.UnixNano()})
	})
}

// Release forgets the delivery: the next copy is the first one.
func (f *Flight) Release() {
	f.end(func(*dedupWindow) int { return 0 })
}

func (f *Flight) end(how func(*dedupWindow) int) {
	w := f.dedup
	if w == nil {
		return
	}
	w.mu.Lock()
	if f.ended {
		w.mu.Unlock()
		return
	}
	f.ended = true
	delete(w.flights, f.Key)
	var first dedupEntry
	if f.beside {
		first, _ = w.entries.get(f.first)
	}
	enough := how(w)
	if f.landed != nil {
		close(f.landed)
	}
	w.mu.Unlock()
	if enough > 0 {
		w.evicted(enough)
	}
	if f.beside && f.kept {
		w.conflict(first.id, f.id)
	}
}

// add adds an entry. If that made the window forget another entry before its time, add
// returns how many entries would have kept that one, else 0.
func (w *dedupWindow) add(key DedupKey, r dedupEntry) (enough int) {
	if w.entries.remove(key); w.entries.len() >= w.limit {
		enough = w.evict(Now())
	}
	w.entries.add(key, r)
	return enough
}

// evict forgets the oldest entry, and returns what add does.
func (w *dedupWindow) evict(now time.Time) (enough int) {
	key, r, _ := w.entries.oldest()
	w.entries.remove(key)
	left := r.until - now.UnixNano()
	if left <= 0 {
		return 0
	}
	// The window was filled during the age of that entry.
	age := max(int64(w.length)-left, 1)
	return int(min(math.Ceil(float64(w.limit)*float64(w.length)/float64(age)), math.MaxInt32))
}

// configure gives the window the length and the number of entries that its source has
// now. A source that remembers nothing for now keeps its entries.
func (w *dedupWindow) configure(src *Source) {
	w.mu.Lock()
	if w.entries == nil {
		w.flights = make(map[DedupKey]*Flight)
		w.limit, w.entries = 1, newDedupEntries()
	}
	enough := 0
	// While a source remembers nothing or stores nothing, the store gets, or keeps,
	// entries that the window does not have.
	stored := src.stored() && src.Window > 0
	w.filled = w.filled && w.stored == stored || !stored
	w.stored = stored
	if src.Window > 0 {
		enough = w.resize(max(src.Entries, 1), src.Window)
	}
	w.mu.Unlock()
	if enough > 0 {
		w.evicted(enough)
	}
}

// resize changes how much the window remembers, and returns what add does.
func (w *dedupWindow) resize(limit int, length time.Duration) (enough int) {
	for now := Now(); w.entries.len() > limit; {
		enough = max(enough, w.evict(now))
	}
	w.limit, w.length = limit, length
	return enough
}

// fill adds an entry that the store has. Entries that end first come first.
func (w *dedupWindow) fill(key DedupKey, r dedupEntry) {
	w.mu.Lock()
	enough := w.add(key, r)
	if r.body == (BodyDigest{}) { // as what lies beside another one has none
		w.conflicted = true
	}
	w.mu.Unlock()
	if enough > 0 {
		w.evicted(enough)
	}
}

// forget removes the entry of an event, or has its flight leave none.
func (w *dedupWindow) forget(key DedupKey, id ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r, ok := w.entries.get(key); ok && r.id == id {
		w.entries.remove(key)
	}
	if f := w.flights[key]; f != nil && f.id == id {
		f.forged = true
	}
}

// prune removes the entries whose time is over.
func (w *dedupWindow) prune(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		key, r, ok := w.entries.oldest()
		if !ok || r.until > now.UnixNano() {
			return
		}
		w.entries.remove(key)
	}
}

func (w *dedupWindow) size() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.entries.len()
}

func (w *dedupWindow) isFilled() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.filled
}

func (w *dedupWindow) setFilled() {
	w.mu.Lock()
	w.filled = true
	w.mu.Unlock()
}

// fillDedup gives the snapshot's dedup windows the entries that the store has, as far as
// they lack those. It returns false if the store could not be read.
func (e *Engine) fillDedup(snap *snapshot) bool {
	empty := make(map[string]*dedupWindow)
	for source := range snap.cfg.Sources {
		if w := &snap.sourceStates[source].dedup; !w.isFilled() {
			empty[source] = w
		}
	}
	if len(empty) == 0 {
		return true
	}
	fill := func(source string, id ID, d Dedup) bool {
		if w := empty[source]; w != nil {
			w.fill(d.Key, dedupEntry{id, d.Body, d.Until.UnixNano()})
		}
		return true
	}
	if err := e.store.Remembered(e.life, Now(), fill); err != nil {
		e.complain("filling dedup windows", err)
		return false
	}
	for _, w := range empty {
		w.setFilled()
	}
	return true
}
