package queuetest

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// model is a store at its simplest: what a real one must agree with.
type model struct {
	*harness
	rand   *rand.Rand
	now    time.Time
	events map[queue.ID]*queue.Event
	memory map[queue.ID]memory
	leases map[queue.RouteKey]map[queue.ID]time.Time
	lines  map[line][]queue.ID // in order
}

// line is where deliveries with one key stand.
type line struct {
	queue.RouteKey
	key string
}

// linesOf returns the lines that an event stands in; nil has none.
func linesOf(e *queue.Event) map[line]bool {
	lines := make(map[line]bool)
	for i := 0; e != nil && i < len(e.Deliveries); i++ {
		if d := &e.Deliveries[i]; d.InFIFO() {
			lines[line{queue.RouteKey{Source: e.Source, Route: d.Route}, d.Key}] = true
		}
	}
	return lines
}

// lineUp has an event that changed leave lines and join others.
func (m *model) lineUp(before, after *queue.Event) {
	left, joined := linesOf(before), linesOf(after)
	for l := range left {
		if !joined[l] {
			m.lines[l] = slices.DeleteFunc(m.lines[l], func(id queue.ID) bool { return id == before.ID })
		}
	}
	for l := range joined {
		if !left[l] {
			m.lines[l] = append(m.lines[l], after.ID)
		}
	}
}

// onTurn reports whether an event that waits in a route is first in its line.
func (m *model) onTurn(e *queue.Event, route queue.RouteKey) bool {
	d := e.Delivery(route.Route)
	return d == nil || d.Key == "" || m.lines[line{route, d.Key}][0] == e.ID
}

// testModel does things at random, and compares what comes of them.
func testModel(h *harness) {
	seed := uint64(time.Now().UnixNano())
	h.Logf("seed %d", seed)
	m := &model{
		harness: h,
		rand:    rand.New(rand.NewPCG(seed, 0)),
		now:     start,
		events:  make(map[queue.ID]*queue.Event),
		memory:  make(map[queue.ID]memory),
		leases:  make(map[queue.RouteKey]map[queue.ID]time.Time),
		lines:   make(map[line][]queue.ID),
	}
	for i := range 500 {
		m.now = m.now.Add(time.Duration(m.rand.Int64N(int64(time.Minute))))
		switch n := m.rand.IntN(100); {
		case n < 30:
			m.appendOne()
		case n < 55:
			m.updateOne()
		case n < 60:
			m.removeOne()
		case n < 90:
			m.claimSome()
		case n < 94:
			m.releaseOne()
		case n < 97:
			m.expire()
		case n < 98 && i%4 == 0:
			m.reopen()
			clear(m.leases)
		}
		if i%20 == 0 {
			m.compare()
		}
	}
	m.compare()
}

var (
	sources = []string{"github", "stripe", ""}
	routes  = []string{"app", "audit", "crm"}
)

func (m *model) minutes(n int) time.Time {
	return m.now.Add(time.Duration(m.rand.Int64N(int64(n) * int64(time.Minute))))
}

// pick returns an event that the store holds, or nil.
func (m *model) pick() *queue.Event {
	if len(m.events) == 0 {
		return nil
	}
	list := m.sorted()
	return list[m.rand.IntN(len(list))]
}

// sorted returns all events, newest first.
func (m *model) sorted() []*queue.Event {
	return slices.SortedFunc(maps.Values(m.events), func(a, b *queue.Event) int {
		return bytes.Compare(b.ID[:], a.ID[:])
	})
}

func (m *model) appendOne() {
	e := NewEvent(m, sources[m.rand.IntN(len(sources))], m.now)
	e.Request.Body = bytes.Repeat([]byte{'x'}, m.rand.IntN(3000))
	m.shuffle(e)
	e.Dedup.Until = m.minutes(60)
	m.append(e)
	m.lineUp(nil, e)
	m.events[e.ID] = clone(e)
	m.memory[e.ID] = memory{e.Source, e.ID, e.Dedup}
}

// shuffle gives an event any state.
func (m *model) shuffle(e *queue.Event) {
	e.State = []queue.EventState{queue.Routed, queue.Routed, queue.Routed, queue.Unrouted, queue.Held, queue.Uncertain}[m.rand.IntN(6)]
	e.Check, e.Deliveries = queue.Check{}, nil
	switch e.State {
	case queue.Held:
		e.Check.Due = m.minutes(10)
	case queue.Uncertain:
		e.Check.Ended = m.now
	case queue.Routed:
		for _, i := range m.rand.Perm(len(routes))[:m.rand.IntN(len(routes)+1)] {
			d := queue.Delivery{Route: routes[i], Queued: m.now, Due: m.minutes(10)}
			d.State = []queue.DeliveryState{queue.Pending, queue.Delivered, queue.Dead}[m.rand.IntN(3)]
			if d.State != queue.Pending {
				d.Ended = m.now
			}
			d.Key = []string{"", "a", "a", "b"}[m.rand.IntN(4)]
			d.Holds = d.State == queue.Dead && m.rand.IntN(2) == 0
			e.Deliveries = append(e.Deliveries, d)
		}
	}
}

func (m *model) updateOne() {
	e := m.pick()
	if e == nil {
		return
	}
	if m.rand.IntN(5) == 0 {
		refused := errors.New("refused")
		m.is(m.Update(m.Context(), e.ID, func(e *queue.Event) error {
			e.State, e.Deliveries, e.Dedup = queue.Unrouted, nil, queue.Dedup{}
			return refused
		}), refused)
		return
	}
	after := clone(e)
	switch m.rand.IntN(4) {
	case 0:
		m.shuffle(after)
	case 1:
		after.Dedup = queue.Dedup{}
		delete(m.memory, e.ID)
	default:
		for i := range after.Deliveries {
			d := &after.Deliveries[i]
			d.Attempts++
			if m.rand.IntN(2) == 0 {
				d.State, d.Ended = queue.Delivered, m.now
			}
		}
	}
	m.update(e.ID, func(e *queue.Event) { *e = *clone(after) })
	m.endLeases(e, after)
	m.lineUp(e, after)
	m.events[e.ID] = after
}

// endLeases ends those on routes in which an event waits no more, or anew.
func (m *model) endLeases(before, after *queue.Event) {
	for route, due := range before.Waiting {
		still := false
		if after != nil {
			for l, d := range after.Waiting {
				still = still || l == route && d.Equal(due) && keyIn(before, route) == keyIn(after, route)
			}
		}
		if !still {
			delete(m.leases[route], before.ID)
		}
	}
}

// keyIn returns the key of an event's delivery in a route.
func keyIn(e *queue.Event, route queue.RouteKey) string {
	if d := e.Delivery(route.Route); d != nil {
		return d.Key
	}
	return ""
}

func (m *model) removeOne() {
	if e := m.pick(); e != nil {
		m.no(m.Remove(m.Context(), e.ID))
		m.forgetEvent(e)
		delete(m.memory, e.ID)
	}
}

func (m *model) forgetEvent(e *queue.Event) {
	m.endLeases(e, nil)
	m.lineUp(e, nil)
	delete(m.events, e.ID)
}

func (m *model) anyLane() queue.RouteKey {
	return queue.RouteKey{Source: sources[m.rand.IntN(len(sources))], Route: append(routes, "")[m.rand.IntN(len(routes)+1)]}
}

// claimSome claims in a route, as does a scan over all events.
func (m *model) claimSome() {
	type turn struct {
		due time.Time
		id  queue.ID
	}
	route, limit := m.anyLane(), m.rand.IntN(4)
	var free []turn
	for _, e := range m.events {
		for l, due := range e.Waiting {
			if l == route && m.onTurn(e, route) && !m.leases[route][e.ID].After(m.now) {
				free = append(free, turn{due, e.ID})
			}
		}
	}
	slices.SortFunc(free, func(a, b turn) int {
		if c := a.due.Compare(b.due); c != 0 {
			return c
		}
		return bytes.Compare(a.id[:], b.id[:])
	})
	var want []*queue.Event
	for len(free) > 0 && len(want) < limit && !free[0].due.After(m.now) {
		want = append(want, m.events[free[0].id])
		free = free[1:]
	}
	var next time.Time
	if len(free) > 0 {
		next = free[0].due
	}
	m.claims(route, m.now, limit, next, want...)
	if m.leases[route] == nil {
		m.leases[route] = make(map[queue.ID]time.Time)
	}
	for _, e := range want {
		m.leases[route][e.ID] = m.now.Add(time.Minute)
	}
}

func (m *model) releaseOne() {
	route := m.anyLane()
	for id := range m.leases[route] {
		m.Release(route, id)
		delete(m.leases[route], id)
		return
	}
}

func (m *model) expire() {
	keep := queue.Retention{Done: 30 * time.Minute, Failed: time.Hour}
	if m.rand.IntN(3) == 0 {
		keep.MaxBytes = 1 + m.rand.Int64N(1+m.Usage().Total.Bytes)
	}
	m.no(m.Expire(m.Context(), m.now, keep))
	var done []*queue.Event
	var bytes int64
	for _, e := range m.events {
		class, since := e.Class()
		switch age := m.now.Sub(since); {
		case class == queue.Done && age >= keep.Done, class == queue.Failed && age >= keep.Failed:
			m.forgetEvent(e)
			continue
		case class == queue.Done:
			done = append(done, e)
		}
		bytes += e.Size
	}
	slices.SortFunc(done, oldestEndFirst)
	for keep.MaxBytes > 0 && bytes > keep.MaxBytes && len(done) > 0 {
		bytes -= done[0].Size
		m.forgetEvent(done[0])
		done = done[1:]
	}
	maps.DeleteFunc(m.memory, func(_ queue.ID, r memory) bool { return !r.Until.After(m.now) })
}

func oldestEndFirst(a, b *queue.Event) int {
	_, endA := a.Class()
	_, endB := b.Class()
	if c := endA.Compare(endB); c != 0 {
		return c
	}
	return bytes.Compare(a.ID[:], b.ID[:])
}

// compare compares all that can be read.
func (m *model) compare() {
	m.Helper()
	want := m.sorted()
	m.has(want...)
	for i, e := range m.list() {
		if !same(e, withoutRequest(want[i])) {
			m.Fatalf("listed %+v, want %+v", e, want[i])
		}
	}
	if e := m.pick(); e != nil {
		got, err := m.Get(m.Context(), e.ID)
		m.no(err)
		if !same(got, e) {
			m.Fatalf("got %+v, want %+v", got, e)
		}
	}
	memories := slices.DeleteFunc(slices.Collect(maps.Values(m.memory)), func(r memory) bool { return !r.Until.After(m.now) })
	slices.SortFunc(memories, func(a, b memory) int {
		if c := a.Until.Compare(b.Until); c != 0 {
			return c
		}
		return bytes.Compare(a.id[:], b.id[:])
	})
	if got := m.remembers(m.now); !slices.Equal(got, memories) {
		m.Fatalf("remembered %v, want %v", got, memories)
	}
	m.addsUp()
}

func clone(e *queue.Event) *queue.Event {
	copied := *e
	copied.Deliveries = slices.Clone(e.Deliveries)
	return &copied
}
