package queuetest

import (
	"slices"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// fill appends n events, one a second, and returns them newest first.
func (h *harness) fill(n int, routes ...string) []*queue.Event {
	h.Helper()
	events := make([]*queue.Event, n)
	for i := range n {
		events[n-1-i] = NewEvent(h, "github", start.Add(time.Duration(i)*time.Second), routes...)
	}
	h.together(n, func(i int) error { return Append(h.Context(), h.Store, events[i]) })
	return events
}

// together calls do for 0 to n-1, all at the same time.
func (h *harness) together(n int, do func(i int) error) {
	h.Helper()
	errs := make(chan error, n)
	for i := range n {
		go func() { errs <- do(i) }()
	}
	for range n {
		h.no(<-errs)
	}
}

func testList(h *harness) {
	events := h.fill(600, "app")
	h.has(events...)
	for _, from := range []int{0, 1, 255, 256, 257, 512, 599} {
		var got []*queue.Event
		h.no(h.List(h.Context(), events[from].ID, func(e *queue.Event) bool {
			got = append(got, e)
			return len(got) < 300
		}))
		want := events[from+1 : min(from+301, len(events))]
		h.equal("listed", ids(got), ids(want))
	}
	above, err := queue.NewID()
	h.no(err)
	h.no(h.List(h.Context(), above, func(e *queue.Event) bool {
		if !same(e, withoutRequest(events[0])) {
			h.Errorf("listed %+v, want %+v", e, events[0])
		}
		return false
	}))
}

func withoutRequest(e *queue.Event) *queue.Event {
	copied := *e
	copied.Request = nil
	return &copied
}

// testListWhileChanging changes the store within yield. The change must not wait for a
// transaction of the list.
func testListWhileChanging(h *harness) {
	h.fill(300, "app")
	seen := 0
	h.no(h.List(h.Context(), queue.ID{}, func(e *queue.Event) bool {
		seen++
		if seen%50 == 0 {
			h.no(h.Remove(h.bounded(), e.ID))
			h.no(Append(h.bounded(), h.Store, NewEvent(h, "github", start, "app")))
		}
		return true
	}))
	if seen != 300 {
		h.Fatalf("listed %d events", seen)
	}
	h.addsUp()
}

func testRemembered(h *harness) {
	want := make([]dedupEntry, 600)
	h.together(len(want), func(i int) error {
		e := NewEvent(h, "github", start)
		e.State = queue.Unrouted
		e.Dedup = queue.Dedup{
			Identity: queue.Identity{Key: queue.DedupKey{byte(i)}, Body: queue.BodyDigest{byte(i % 3), 15: byte(i % 2)}},
			Until:    start.Add(time.Duration(1+i) * time.Second),
		}
		want[i] = dedupEntry{"github", e.ID, e.Dedup}
		return Append(h.Context(), h.Store, e)
	})
	// A dedup window may be longer than the retention.
	h.no(h.Expire(h.Context(), start, queue.Retention{}))
	h.has()
	if got := h.remembers(start); !slices.Equal(got, want) {
		h.Fatalf("%d entries are remembered, want %d", len(got), len(want))
	}
	// A window that ends at now has ended.
	if got := h.remembers(start.Add(100 * time.Second)); !slices.Equal(got, want[100:]) {
		h.Fatalf("%d entries are remembered, want %d", len(got), 500)
	}
	h.no(h.Expire(h.Context(), start.Add(300*time.Second), forever))
	if got := h.remembers(start); !slices.Equal(got, want[300:]) {
		h.Fatalf("%d entries are remembered, want %d", len(got), 300)
	}
	n := 0
	h.no(h.Remembered(h.Context(), start, func(string, queue.ID, queue.Dedup) bool {
		n++
		return n < 3
	}))
	if n != 3 {
		h.Fatalf("%d entries were yielded after the third was refused", n-3)
	}
}

func testExpire(h *harness) {
	hour := func(n int) time.Time { return start.Add(time.Duration(n) * time.Hour) }
	keep := queue.Retention{Done: 10 * time.Hour, Failed: 20 * time.Hour}
	live := NewEvent(h, "github", start, "app")
	done, failed := NewEvent(h, "github", start, "app"), NewEvent(h, "github", start, "app")
	half := NewEvent(h, "github", start, "app", "audit")
	unrouted, uncertain, revived := NewEvent(h, "github", start), NewEvent(h, "github", start), NewEvent(h, "github", start, "app")
	unrouted.State = queue.Unrouted
	uncertain.State, uncertain.Check.Ended = queue.Uncertain, hour(2)
	h.append(live, done, failed, half, unrouted, uncertain, revived)
	h.update(done.ID, deliver(queue.Delivered, hour(1)))
	h.update(failed.ID, deliver(queue.Dead, hour(1)))
	h.update(half.ID, func(e *queue.Event) {
		deliver(queue.Delivered, hour(1))(e)
		e.Delivery("audit").State = queue.Dead
	})
	h.update(revived.ID, deliver(queue.Dead, hour(1)))
	h.update(revived.ID, func(e *queue.Event) { e.Deliveries[0].State = queue.Pending })

	for _, step := range []struct {
		at   time.Time
		left []*queue.Event
	}{
		{hour(11).Add(-1), []*queue.Event{revived, uncertain, unrouted, half, failed, done, live}},
		{hour(11), []*queue.Event{revived, uncertain, unrouted, half, failed, live}},
		{hour(20), []*queue.Event{revived, uncertain, half, failed, live}},
		{hour(21), []*queue.Event{revived, uncertain, live}},
		{hour(9999), []*queue.Event{revived, live}},
	} {
		h.no(h.Expire(h.Context(), step.at, keep))
		h.has(step.left...)
		h.addsUp()
	}
}

func testExpireBySize(h *harness) {
	events := h.fill(700, "app")
	h.together(650, func(i int) error {
		return h.Update(h.Context(), events[i].ID, func(e *queue.Event) error {
			if i < 600 { // the oldest ends last
				deliver(queue.Delivered, start.Add(time.Hour+time.Duration(i)*time.Minute))(e)
			} else {
				deliver(queue.Dead, start)(e)
			}
			return nil
		})
	})
	keep := forever
	keep.MaxBytes = h.Usage().Total.Bytes
	h.no(h.Expire(h.Context(), start, keep))
	h.has(events...)
	keep.MaxBytes -= 1
	h.no(h.Expire(h.Context(), start, keep))
	h.has(events[1:]...)
	keep.MaxBytes = 150 * events[0].Size
	h.no(h.Expire(h.Context(), start, keep))
	h.has(events[550:]...)
	keep.MaxBytes = 1 // events that are not Done are kept all the same
	h.no(h.Expire(h.Context(), start, keep))
	h.has(events[600:]...)
	h.addsUp()
	h.reopen()
	h.addsUp()
}

func testUsage(h *harness) {
	h.addsUp()
	e := NewEvent(h, "github", start, "app")
	h.append(e, NewEvent(h, "stripe", start, "app"))
	u := h.Usage()
	if u.Deliveries[app][queue.Pending] != 1 || u.Total.Count != 2 || u.Events["stripe"][queue.Routed].Count != 1 {
		h.Fatalf("usage is %+v", u)
	}
	clear(u.Deliveries) // the caller owns the result
	h.addsUp()
	if one, all := h.Undelivered("github"); one != e.Size || all != u.Total.Bytes {
		h.Fatalf("undelivered is %d, %d", one, all)
	}
	h.update(e.ID, deliver(queue.Delivered, start))
	if one, all := h.Undelivered("github"); one != 0 || all != u.Total.Bytes-e.Size {
		h.Fatalf("undelivered is %d, %d", one, all)
	}
}
