// Package queuetest is the suite that every store of the queue passes.
package queuetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// Opener opens the store of one test, which is empty at first. Called again in the same
// test it opens the same store again; the suite closes the store before.
type Opener func() (queue.Store, error)

// Run tests the stores of a backend. It calls fresh once for every test.
func Run(t *testing.T, fresh func(t *testing.T) Opener) {
	for _, test := range []struct {
		name string
		run  func(*harness)
	}{
		{"append", testAppend},
		{"append all or nothing", testAppendAllOrNothing},
		{"append together", testAppendTogether},
		{"withdrawn append", testWithdrawnAppend},
		{"durability", testDurability},
		{"update", testUpdate},
		{"failing update", testFailingUpdate},
		{"update all", testUpdateAll},
		{"remove", testRemove},
		{"due order", testDueOrder},
		{"routes", testRoutes},
		{"leases", testLeases},
		{"a lease before the event is in sight", testLease},
		{"lease and update", testLeaseAndUpdate},
		{"FIFO", testOrder},
		{"held keys", testHeldKeys},
		{"several FIFOs", testFIFOs},
		{"held events", testHeld},
		{"list", testList},
		{"ascend", testAscend},
		{"list while changing", testListWhileChanging},
		{"oldest", testOldest},
		{"remembered", testRemembered},
		{"expire", testExpire},
		{"expire by size", testExpireBySize},
		{"paused", testPaused},
		{"usage", testUsage},
		{"close", testClose},
		{"concurrency", testConcurrency},
		{"claims are exclusive", testExclusive},
		{"model", testModel},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := &harness{T: t, open: fresh(t)}
			h.reopen()
			t.Cleanup(func() { _ = h.Close() })
			test.run(h)
		})
	}
}

// start is when the tests begin, to the nanosecond.
var start = time.Date(2026, 3, 4, 5, 6, 7, 89_012_345, time.UTC)

// forever is a retention that keeps everything.
var forever = queue.Retention{Done: 1000 * time.Hour, Failed: 1000 * time.Hour}

// harness is a test with its store.
type harness struct {
	*testing.T
	queue.Store
	open Opener
}

// reopen closes the store, if there is one, and opens it again.
func (h *harness) reopen() {
	h.Helper()
	if h.Store != nil {
		h.no(h.Store.Close())
	}
	var err error
	h.Store, err = h.open()
	h.no(err)
}

// no fails the test on an error.
func (h *harness) no(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

func (h *harness) is(err, want error) {
	h.Helper()
	if !errors.Is(err, want) {
		h.Fatalf("error is %v, want %v", err, want)
	}
}

func (h *harness) append(events ...*queue.Event) {
	h.Helper()
	for _, e := range events {
		h.no(Append(h.Context(), h.Store, e))
	}
}

// Append appends the events of one request and waits until all methods of the store know
// them.
func Append(ctx context.Context, s queue.Store, events ...*queue.Event) error {
	visible := make(chan struct{})
	results, err := s.Append(ctx, events, func() { close(visible) })
	if err != nil {
		return err
	}
	if results != nil {
		return fmt.Errorf("new events have the results %v", results)
	}
	<-visible
	return nil
}

func (h *harness) update(id queue.ID, change func(*queue.Event)) {
	h.Helper()
	h.no(h.Update(h.Context(), id, func(e *queue.Event) error {
		change(e)
		return nil
	}))
}

// claim claims and returns the IDs.
func (h *harness) claim(route queue.RouteKey, now time.Time, lease time.Duration, limit int) ([]queue.ID, time.Time) {
	h.Helper()
	events, next, err := h.Claim(h.Context(), route, now, lease, limit)
	h.no(err)
	for _, e := range events {
		if e.Request == nil {
			h.Fatalf("event %s was claimed without its request", e.ID)
		}
	}
	return ids(events), next
}

// claims fails the test unless a claim returns these events.
func (h *harness) claims(route queue.RouteKey, now time.Time, limit int, next time.Time, want ...*queue.Event) {
	h.Helper()
	got, gotNext := h.claim(route, now, time.Minute, limit)
	h.equal("claimed", got, ids(want))
	if !gotNext.Equal(next) {
		h.Fatalf("next is due at %v, want %v", gotNext, next)
	}
}

// list returns all events, newest first.
func (h *harness) list() (events []*queue.Event) {
	h.Helper()
	h.no(h.List(h.Context(), queue.ID{}, func(e *queue.Event) bool {
		if e.Request != nil {
			h.Errorf("event %s was listed with its request", e.ID)
		}
		events = append(events, e)
		return true
	}))
	return events
}

// has fails the test unless these are the events of the store, newest first.
func (h *harness) has(want ...*queue.Event) {
	h.Helper()
	h.equal("stored", ids(h.list()), ids(want))
}

// equal fails the test unless both lists have the same events in the same order.
func (h *harness) equal(where string, got, want []queue.ID) {
	h.Helper()
	if len(got) != len(want) {
		h.Fatalf("%d events are %s, want %d", len(got), where, len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			h.Fatalf("event %d of those %s is %s, want %s", i, where, got[i], want[i])
		}
	}
}

// remembers returns the dedup entries that have not ended at a time, in order.
func (h *harness) remembers(now time.Time) (found []dedupEntry) {
	h.Helper()
	h.no(h.Remembered(h.Context(), now, func(source string, id queue.ID, d queue.Dedup) bool {
		d.Until = d.Until.UTC()
		found = append(found, dedupEntry{source, id, d})
		return true
	}))
	return found
}

type dedupEntry struct {
	source string
	id     queue.ID
	queue.Dedup
}

// addsUp compares the numbers of the store with the events that it lists.
func (h *harness) addsUp() {
	h.Helper()
	want := queue.Usage{
		Deliveries: map[queue.RouteKey]map[queue.DeliveryState]int64{},
		Events:     map[string]map[queue.EventState]queue.Counter{},
	}
	undelivered, all := map[string]int64{}, int64(0)
	for _, e := range h.list() {
		want.Total.Count++
		want.Total.Bytes += e.Size
		if want.Events[e.Source] == nil {
			want.Events[e.Source] = map[queue.EventState]queue.Counter{}
		}
		n := want.Events[e.Source][e.State]
		want.Events[e.Source][e.State] = queue.Counter{Count: n.Count + 1, Bytes: n.Bytes + e.Size}
		for _, d := range e.Deliveries {
			route := queue.RouteKey{Source: e.Source, Route: d.Route}
			if want.Deliveries[route] == nil {
				want.Deliveries[route] = map[queue.DeliveryState]int64{}
			}
			want.Deliveries[route][d.State]++
		}
		undelivered[e.Source] += 0
		if class, _ := e.Class(); class != queue.Done {
			undelivered[e.Source] += e.Size
			all += e.Size
		}
	}
	got := h.Usage()
	got.Disk = 0 // each store takes its own
	if !reflect.DeepEqual(got, want) {
		h.Fatalf("usage is\n%+v, and events amount to\n%+v", got, want)
	}
	for _, source := range slices.Sorted(maps.Keys(undelivered)) {
		gotSource, gotAll := h.Undelivered(source)
		if gotSource != undelivered[source] || gotAll != all {
			h.Fatalf("undelivered of %s, and of all, is %d, %d, want %d, %d", source, gotSource, gotAll, undelivered[source], all)
		}
	}
}

func ids(events []*queue.Event) []queue.ID {
	list := make([]queue.ID, 0, len(events))
	for _, e := range events {
		list = append(list, e.ID)
	}
	return list
}

// NewEvent returns a routed event with a delivery, due when it was received, to each
// route. All its fields are set, so that a store which loses one is noticed.
func NewEvent(t testing.TB, source string, received time.Time, routes ...string) *queue.Event {
	t.Helper()
	id, err := queue.NewID()
	if err != nil {
		t.Fatal(err)
	}
	e := &queue.Event{
		ID:         id,
		Source:     source,
		Provider:   "github",
		Type:       "pull_request",
		DeliveryID: "delivery-" + id.String(),
		ReceivedAt: received,
		State:      queue.Routed,
		Dedup:      queue.Dedup{Identity: queue.Identity{Key: queue.DedupKey(id), Body: queue.BodyDigest(id)}, Until: received.Add(time.Hour)},
		Copies:     queue.Copies{Count: 12, Last: []time.Time{received, received.Add(time.Second)}},
		Request: &queue.Request{
			Method:     "POST",
			Host:       "hooks.example.com",
			URI:        "/hooks/github?a=1&b=\xff",
			Proto:      "HTTP/2.0",
			RemoteAddr: "192.0.2.7:4711",
			ClientIP:   "2001:db8::1",
			TLS:        true,
			Header: map[string][]string{
				"Content-Type": {"application/json"},
				"X-Repeated":   {"one", "", "two", "one"},
				"X-Latin":      {"caf\xe9"},
			},
			Body: []byte("{\"id\":\"" + id.String() + "\"}\x00\xff\n"),
		},
	}
	for _, route := range routes {
		e.Deliveries = append(e.Deliveries, queue.Delivery{
			Route: route, State: queue.Pending, Queued: received, Due: received,
			Log:     []queue.Attempt{{At: received, Took: time.Second, Status: 503, Reason: "busy", Outcome: queue.Retry}},
			Replays: 2, Replayed: received, From: "before",
		})
	}
	return e
}

// deliver marks all deliveries of an event.
func deliver(state queue.DeliveryState, at time.Time) func(*queue.Event) {
	return func(e *queue.Event) {
		for i := range e.Deliveries {
			d := &e.Deliveries[i]
			d.State, d.Ended, d.Attempts, d.Status = state, at, d.Attempts+1, 200
		}
	}
}

// same tells whether two events are equal, whatever the zone of their times.
func same(a, b *queue.Event) bool {
	return reflect.DeepEqual(inUTC(a), inUTC(b))
}

func inUTC(e *queue.Event) *queue.Event {
	copied := *e
	for _, at := range []*time.Time{&copied.ReceivedAt, &copied.Dedup.Until, &copied.Check.Due, &copied.Check.Ended} {
		*at = at.UTC()
	}
	copied.Copies.Last = slices.Clone(e.Copies.Last)
	for i, at := range copied.Copies.Last {
		copied.Copies.Last[i] = at.UTC()
	}
	copied.Deliveries = slices.Clone(e.Deliveries)
	for i := range copied.Deliveries {
		d := &copied.Deliveries[i]
		d.Queued, d.Due, d.Ended, d.Replayed = d.Queued.UTC(), d.Due.UTC(), d.Ended.UTC(), d.Replayed.UTC()
		d.Log = slices.Clone(d.Log)
		for i := range d.Log {
			d.Log[i].At = d.Log[i].At.UTC()
		}
	}
	return &copied
}

// bounded returns a context that ends soon enough to fail a test that hangs.
func (h *harness) bounded() context.Context {
	ctx, cancel := context.WithTimeout(h.Context(), 20*time.Second)
	h.Cleanup(cancel)
	return ctx
}
