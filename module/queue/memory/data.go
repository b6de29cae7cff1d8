package memory

import (
	"bytes"
	"maps"
	"slices"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// data is what outlives a store: the events, and what is known of them. The
// backend's mutex guards it.
type data struct {
	events map[queue.ID]*queue.Event
	ids    []queue.ID // of the events, in order
	dedup  map[queue.ID]dedupEntry
	fifos  map[fifoKey][]queue.ID // of pending deliveries and of dead letters that hold their key
	paused map[queue.RouteKey]bool
}

// dedupEntry outlives its event.
type dedupEntry struct {
	source string
	id     queue.ID
	queue.Dedup
}

// fifoKey names the FIFO of the deliveries of a route that have the same key.
type fifoKey struct {
	queue.RouteKey
	key string
}

func newData() *data {
	return &data{
		events: make(map[queue.ID]*queue.Event),
		dedup:  make(map[queue.ID]dedupEntry),
		fifos:  make(map[fifoKey][]queue.ID),
		paused: make(map[queue.RouteKey]bool),
	}
}

func (d *data) copy() *data {
	copied := &data{maps.Clone(d.events), slices.Clone(d.ids), maps.Clone(d.dedup), maps.Clone(d.fifos), maps.Clone(d.paused)}
	for id, e := range d.events {
		copied.events[id] = clone(e)
	}
	for key, ids := range d.fifos {
		copied.fifos[key] = slices.Clone(ids)
	}
	return copied
}

// replace puts an event in the place of what it was before. before is nil for a
// new event, after for one that is deleted.
func (d *data) replace(before, after *queue.Event) {
	switch {
	case before == nil:
		at, _ := slices.BinarySearchFunc(d.ids, after.ID, compare)
		d.ids = slices.Insert(d.ids, at, after.ID)
	case after == nil:
		at, _ := slices.BinarySearchFunc(d.ids, before.ID, compare)
		d.ids = slices.Delete(d.ids, at, at+1)
		delete(d.events, before.ID)
	}
	if after != nil {
		d.events[after.ID] = after
	}
	d.moveInFIFOs(before, after)
}

// setDedup replaces an event's dedup entry where an update or an append changes
// it.
func (d *data) setDedup(before, after *queue.Event) {
	switch {
	case before != nil && before.Dedup == after.Dedup:
	case after.Dedup == (queue.Dedup{}):
		delete(d.dedup, after.ID)
	default:
		d.dedup[after.ID] = dedupEntry{after.Source, after.ID, after.Dedup}
	}
}

// moveInFIFOs has an event that changed leave FIFOs, and join others at their end.
func (d *data) moveInFIFOs(before, after *queue.Event) {
	left, joined := fifosOf(before), fifosOf(after)
	for key := range left {
		if joined[key] {
			continue
		}
		ids := slices.DeleteFunc(d.fifos[key], func(id queue.ID) bool { return id == before.ID })
		if d.fifos[key] = ids; len(ids) == 0 {
			delete(d.fifos, key)
		}
	}
	for key := range joined {
		if !left[key] {
			d.fifos[key] = append(d.fifos[key], after.ID)
		}
	}
}

// fifosOf returns the FIFOs that an event stands in. A nil event stands in none.
func fifosOf(e *queue.Event) map[fifoKey]bool {
	keys := make(map[fifoKey]bool)
	for i := 0; e != nil && i < len(e.Deliveries); i++ {
		if d := &e.Deliveries[i]; d.InFIFO() {
			keys[fifoKey{queue.RouteKey{Source: e.Source, Route: d.Route}, d.Key}] = true
		}
	}
	return keys
}

// onTurn reports whether no other delivery stands before an event's delivery to a
// route that it waits for.
func (d *data) onTurn(e *queue.Event, route queue.RouteKey) bool {
	key := keyOf(e, route)
	return key == "" || d.fifos[fifoKey{route, key}][0] == e.ID
}

// keyOf returns the key of an event's delivery to a route, "" if it has none.
func keyOf(e *queue.Event, route queue.RouteKey) string {
	if d := e.Delivery(route.Route); d != nil {
		return d.Key
	}
	return ""
}

// beyond returns the next event above an ID or below it, nil if there is none.
func (d *data) beyond(id queue.ID, up bool) *queue.Event {
	at, found := slices.BinarySearchFunc(d.ids, id, compare)
	switch {
	case up && found:
		at++
	case !up && id == (queue.ID{}): // from the newest on
		at = len(d.ids) - 1
	case !up:
		at--
	}
	if at < 0 || at == len(d.ids) {
		return nil
	}
	return d.events[d.ids[at]]
}

func compare(a, b queue.ID) int { return bytes.Compare(a[:], b[:]) }

// clone copies an event such that nobody who changes the copy changes the event.
func clone(e *queue.Event) *queue.Event {
	copied := withoutRequest(e)
	if r := e.Request; r != nil {
		request := *r
		request.Body, request.Secret = bytes.Clone(r.Body), slices.Clone(r.Secret)
		request.Header = maps.Clone(r.Header)
		for name, values := range r.Header {
			request.Header[name] = slices.Clone(values)
		}
		copied.Request = &request
	}
	return copied
}

// withoutRequest copies an event, but not its request.
func withoutRequest(e *queue.Event) *queue.Event {
	copied := *e
	copied.Request = nil
	copied.Copies.Last = slices.Clone(e.Copies.Last)
	copied.Deliveries = slices.Clone(e.Deliveries)
	for i := range copied.Deliveries {
		copied.Deliveries[i].Log = slices.Clone(copied.Deliveries[i].Log)
	}
	return &copied
}

// expired returns the events that have been kept for long enough.
func (d *data) expired(now time.Time, keep queue.Retention) (ids []queue.ID) {
	type ended struct {
		id    queue.ID
		since time.Time
		size  int64
	}
	var done []ended
	var total int64
	for _, id := range d.ids {
		e := d.events[id]
		class, since := e.Class()
		switch age := now.Sub(since); {
		case class == queue.Done && age >= keep.Done, class == queue.Failed && age >= keep.Failed:
			ids = append(ids, id)
			continue
		case class == queue.Done:
			done = append(done, ended{id, since, e.Size})
		}
		total += e.Size
	}
	slices.SortStableFunc(done, func(a, b ended) int { return a.since.Compare(b.since) })
	for ; keep.MaxBytes > 0 && total > keep.MaxBytes && len(done) > 0; done = done[1:] {
		ids = append(ids, done[0].id)
		total -= done[0].size
	}
	return ids
}
