package queuetest

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue/memory"
)

// model does the same random things to the tested store and to a store in memory, and
// compares the answers.
type model struct {
	*harness          // the tested store
	memory   *harness // the store in memory
	rand     *rand.Rand
	now      time.Time
	ids      []queue.ID // of all events that were appended
	leases   []leased
}

// leased is a lease that both stores have given.
type leased struct {
	route queue.RouteKey
	id    queue.ID
}

func testModel(h *harness) {
	seed := uint64(time.Now().UnixNano())
	h.Logf("seed %d", seed)
	backend := new(memory.Backend)
	m := &model{
		harness: h,
		memory:  &harness{T: h.T, open: func() (queue.Store, error) { return backend.Open(zap.NewNop()) }},
		rand:    rand.New(rand.NewPCG(seed, 0)),
		now:     start,
	}
	m.memory.reopen()
	for i := range 500 {
		m.now = m.now.Add(time.Duration(m.rand.Int64N(int64(time.Minute))))
		switch n := m.rand.IntN(100); {
		case n < 30:
			m.appendSome()
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
			m.memory.reopen()
			m.leases = nil
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

// both fails the test unless both stores answer alike.
func (m *model) both(what string, do func(h *harness) (any, error)) {
	m.Helper()
	got, err := do(m.harness)
	want, wantErr := do(m.memory)
	if !errors.Is(err, wantErr) || !reflect.DeepEqual(got, want) {
		m.Fatalf("%s: %+v, %v; the store in memory: %+v, %v", what, got, err, want, wantErr)
	}
}

// within returns a time of the next n minutes.
func (m *model) within(n int) time.Time {
	return m.now.Add(time.Duration(m.rand.Int64N(int64(n) * int64(time.Minute))))
}

// pick returns the ID of an event that the stores hold or held; the zero ID if no event
// was appended yet.
func (m *model) pick() queue.ID {
	if len(m.ids) == 0 {
		return queue.ID{}
	}
	stored := m.memory.list()
	if len(stored) > 0 && m.rand.IntN(10) > 0 {
		return stored[m.rand.IntN(len(stored))].ID
	}
	return m.ids[m.rand.IntN(len(m.ids))]
}

// appendSome appends the events of one request.
func (m *model) appendSome() {
	source, n := sources[m.rand.IntN(len(sources))], 1+max(0, m.rand.IntN(8)-4)
	var events, twins []*queue.Event
	for i := range n {
		e := NewEvent(m, source, m.now)
		e.Request.Body = slices.Repeat([]byte{'x'}, m.rand.IntN(3000))
		if n > 1 {
			e.Part = queue.Part{Number: i + 1, Of: n}
		}
		m.shuffle(e)
		e.Dedup.Until = m.within(60)
		m.ids = append(m.ids, e.ID)
		events, twins = append(events, e), append(twins, clone(e))
	}
	m.no(Append(m.Context(), m.Store, events...))
	m.no(Append(m.Context(), m.memory.Store, twins...))
}

// shuffle gives an event any state.
func (m *model) shuffle(e *queue.Event) {
	e.State = []queue.EventState{queue.Routed, queue.Routed, queue.Routed, queue.Unrouted, queue.Held, queue.Uncertain}[m.rand.IntN(6)]
	e.Check, e.Deliveries = queue.Check{}, nil
	switch e.State {
	case queue.Held:
		e.Check.Due = m.within(10)
	case queue.Uncertain:
		e.Check.Ended = m.now
	case queue.Routed:
		for _, i := range m.rand.Perm(len(routes))[:m.rand.IntN(len(routes)+1)] {
			d := queue.Delivery{Route: routes[i], Queued: m.now, Due: m.within(10)}
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

var errRefused = errors.New("refused")

func (m *model) updateOne() {
	shuffled := new(queue.Event)
	m.shuffle(shuffled)
	kind, end := m.rand.IntN(5), m.rand.Uint32() // the bits of end say which deliveries end
	id := m.pick()
	m.both("updating", func(h *harness) (any, error) {
		return nil, h.Update(h.Context(), id, func(e *queue.Event) error {
			switch kind {
			case 0:
				e.State, e.Deliveries, e.Dedup = queue.Unrouted, nil, queue.Dedup{}
				return errRefused
			case 1:
				e.State, e.Check, e.Deliveries = shuffled.State, shuffled.Check, slices.Clone(shuffled.Deliveries)
			case 2:
				e.Dedup = queue.Dedup{}
			default:
				for i := range e.Deliveries {
					d := &e.Deliveries[i]
					d.Attempts++
					if end>>i&1 == 0 {
						d.State, d.Ended = queue.Delivered, m.now
					}
				}
			}
			return nil
		})
	})
}

func (m *model) removeOne() {
	id := m.pick()
	m.both("removing", func(h *harness) (any, error) { return nil, h.Remove(h.Context(), id) })
}

func (m *model) anyRoute() queue.RouteKey {
	return queue.RouteKey{Source: sources[m.rand.IntN(len(sources))], Route: append(routes, "")[m.rand.IntN(len(routes)+1)]}
}

func (m *model) claimSome() {
	route, limit := m.anyRoute(), m.rand.IntN(4)
	m.both("claiming", func(h *harness) (any, error) {
		claimed, next := h.claim(route, m.now, time.Minute, limit)
		if h == m.harness {
			for _, id := range claimed {
				m.leases = append(m.leases, leased{route, id})
			}
		}
		return []any{claimed, next.UTC()}, nil
	})
}

func (m *model) releaseOne() {
	if len(m.leases) == 0 {
		return
	}
	l := m.leases[m.rand.IntN(len(m.leases))]
	m.Release(l.route, l.id)
	m.memory.Release(l.route, l.id)
}

// expire removes events by their age and, now and then, by the space that they take. An
// event need not take the same space in both stores, so each store has its own limit.
func (m *model) expire() {
	evicted := 0
	if m.rand.IntN(3) == 0 {
		evicted = m.rand.IntN(10)
	}
	for _, h := range []*harness{m.harness, m.memory} {
		keep := queue.Retention{Done: 30 * time.Minute, Failed: time.Hour}
		h.no(h.Expire(h.Context(), m.now, keep))
		if evicted > 0 {
			keep.MaxBytes = h.withoutOldest(evicted)
			h.no(h.Expire(h.Context(), m.now, keep))
		}
	}
}

// withoutOldest returns how many bytes the store holds without the n events that
// were the first to be done.
func (h *harness) withoutOldest(n int) int64 {
	events := h.list()
	slices.Reverse(events)
	total := int64(0)
	for _, e := range events {
		total += e.Size
	}
	done := slices.DeleteFunc(events, func(e *queue.Event) bool {
		class, _ := e.Class()
		return class != queue.Done
	})
	slices.SortStableFunc(done, func(a, b *queue.Event) int {
		_, endA := a.Class()
		_, endB := b.Class()
		return endA.Compare(endB)
	})
	for _, e := range done[:min(n, len(done))] {
		total -= e.Size
	}
	return max(total, 1)
}

// compare compares all answers of the methods that change nothing.
func (m *model) compare() {
	m.Helper()
	sizeless := func(events ...*queue.Event) (list []queue.Event) {
		for _, e := range events {
			copied := *inUTC(e)
			copied.Size = 0
			list = append(list, copied)
		}
		return list
	}
	m.both("listing", func(h *harness) (any, error) { return sizeless(h.list()...), nil })
	id := m.pick()
	m.both("getting", func(h *harness) (any, error) {
		e, err := h.Get(h.Context(), id)
		if err != nil {
			return nil, err
		}
		return []any{sizeless(e), e.Request}, nil
	})
	m.both("what is remembered", func(h *harness) (any, error) { return h.remembers(m.now), nil })
	m.both("the oldest", func(h *harness) (any, error) { return h.Oldest(h.Context()) })
	m.addsUp()
	m.memory.addsUp()
}

func clone(e *queue.Event) *queue.Event {
	copied := *e
	copied.Deliveries = slices.Clone(e.Deliveries)
	return &copied
}
