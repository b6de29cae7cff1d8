package queuetest

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

func testAppend(h *harness) {
	zone := time.FixedZone("somewhere", 3600)
	full := NewEvent(h, "github", start.In(zone), "app", "audit")
	full.Deliveries[1] = queue.Delivery{
		Route: "audit", State: queue.Dead, Queued: start, Due: start.Add(1), Ended: start.Add(2),
		Attempts: 3, Status: 502, Reason: "bad gateway",
		Log: []queue.Attempt{
			{At: start, Took: time.Second, Reason: "timeout", Outcome: queue.Retry},
			{At: start.Add(1), Took: 5, Status: 502, Reason: "bad gateway", Outcome: queue.Refused},
		},
	}
	full.Tenant, full.Part = "acme", queue.Part{Number: 2, Of: 3}
	full.Check = queue.Check{Due: start, Calls: 2, Sent: true, Ended: start.Add(3), Reason: "timeout"}
	bare := NewEvent(h, "github", start)
	bare.State, bare.Type, bare.DeliveryID, bare.Dedup = queue.Unrouted, "", "", queue.Dedup{}
	bare.Request = &queue.Request{Method: "GET"}
	large := NewEvent(h, "stripe", start, "app")
	large.Request.Body = bytes.Repeat([]byte("0123456789abcdef"), 1<<18)
	h.append(full, bare, large)

	for _, e := range []*queue.Event{full, bare, large} {
		if e.Size < int64(len(e.Request.Body)) {
			h.Errorf("an event with a body of %d bytes has a size of %d", len(e.Request.Body), e.Size)
		}
		got, err := h.Get(h.Context(), e.ID)
		h.no(err)
		if !same(got, e) {
			h.Errorf("appended %+v\n%+v, got %+v\n%+v", e, e.Request, got, got.Request)
		}
	}
	id, err := queue.NewID()
	h.no(err)
	_, err = h.Get(h.Context(), id)
	h.is(err, queue.ErrNotFound)
	h.has(large, bare, full)
	h.addsUp()
}

func testAppendAllOrNothing(h *harness) {
	e := NewEvent(h, "github", start, "app")
	h.append(e)
	twin := NewEvent(h, "github", start, "other")
	twin.ID = e.ID
	twin.Dedup.Until = start.Add(2 * time.Hour)
	h.append(twin) // nothing comes of it
	bodiless := NewEvent(h, "github", start, "app")
	bodiless.Request = nil
	if err := Append(h.Context(), h.Store, bodiless); err == nil {
		h.Fatal("an event without a request was appended")
	}
	h.has(e)
	h.claims(routeKey("github", "other"), start, 1, time.Time{})
	if got := h.remembers(start); len(got) != 1 || !got[0].Until.Equal(e.Dedup.Until) {
		h.Fatalf("remembered %v", got)
	}
	h.addsUp()
}

func testAppendTogether(h *harness) {
	var parts []*queue.Event
	const n = 600
	for i := range n {
		e := NewEvent(h, "github", start, "app")
		e.Part = queue.Part{Number: i + 1, Of: n}
		e.Request.Body = bytes.Repeat([]byte{byte(i)}, 100)
		parts = append(parts, e)
	}
	h.append(NewEvent(h, "github", start, "app"))
	h.no(Append(h.Context(), h.Store, parts...))
	for range 2 {
		for _, e := range parts {
			got, err := h.Get(h.Context(), e.ID)
			h.no(err)
			if !same(got, e) {
				h.Fatalf("appended %+v\n%+v, got %+v\n%+v", e, e.Request, got, got.Request)
			}
		}
		if got := len(h.remembers(start)); got != 1+n {
			h.Fatalf("%d dedup entries are remembered", got)
		}
		claimed, _ := h.claim(routeKey("github", "app"), start, time.Minute, 2*n)
		h.equal("claimed", claimed[:n], ids(parts))
		h.addsUp()
		h.reopen()
	}
	bad := NewEvent(h, "github", start, "app")
	bad.Request = nil
	long := NewEvent(h, strings.Repeat("x", 1<<20), start, "app")
	for _, last := range []*queue.Event{bad, long} {
		first := NewEvent(h, last.Source, start, "app")
		if err := Append(h.Context(), h.Store, first, last); err == nil && last == bad {
			h.Fatal("an event without a request was appended")
		} else if _, lost := h.Get(h.Context(), first.ID); err != nil && !errors.Is(lost, queue.ErrNotFound) {
			h.Fatalf("one of two events is stored: %v", lost)
		}
	}
}

func testWithdrawnAppend(h *harness) {
	ctx, cancel := context.WithCancel(h.Context())
	cancel()
	h.is(Append(ctx, h.Store, NewEvent(h, "github", start, "app")), context.Canceled)
	h.has()
	h.addsUp()
}

func testDurability(h *harness) {
	kept := NewEvent(h, "github", start, "app")
	changed := NewEvent(h, "github", start.Add(1), "app")
	removed := NewEvent(h, "github", start.Add(2), "app")
	h.append(kept, changed, removed)
	h.update(changed.ID, deliver(queue.Delivered, start.Add(time.Minute)))
	h.no(h.Remove(h.Context(), removed.ID))
	h.claims(routeKey("github", "app"), start, 9, time.Time{}, kept)

	h.reopen()
	got, err := h.Get(h.Context(), kept.ID)
	h.no(err)
	if !same(got, kept) {
		h.Fatalf("appended %+v, got %+v", kept, got)
	}
	h.has(changed, kept)
	h.addsUp()
	if got := h.remembers(start); len(got) != 2 || got[0].id != kept.ID || got[1].id != changed.ID {
		h.Fatalf("remembered %v", got)
	}
	// The lease ended with the process that took it.
	h.claims(routeKey("github", "app"), start, 9, time.Time{}, kept)
}

func testUpdate(h *harness) {
	e := NewEvent(h, "github", start, "app", "audit")
	h.append(e)
	h.update(e.ID, func(e *queue.Event) {
		if e.Request != nil {
			h.Error("the event is updated with its request")
		}
		d := e.Delivery("app")
		d.State, d.Ended, d.Attempts, d.Status, d.Reason = queue.Dead, start.Add(5), 4, 410, "gone"
	})
	h.addsUp()
	h.update(e.ID, func(e *queue.Event) {
		e.Deliveries = append(e.Deliveries, queue.Delivery{Route: "late", State: queue.Pending, Queued: start, Due: start.Add(7)})
		e.Delivery("audit").Due = start.Add(6)
		e.Type = "renamed"
	})
	h.addsUp()
	got, err := h.Get(h.Context(), e.ID)
	h.no(err)
	if d := got.Delivery("app"); d.State != queue.Dead || d.Attempts != 4 || d.Status != 410 || d.Reason != "gone" || !d.Ended.Equal(start.Add(5)) {
		h.Errorf("delivery is %+v", d)
	}
	if got.Type != "renamed" || len(got.Deliveries) != 3 || !bytes.Equal(got.Request.Body, e.Request.Body) {
		h.Errorf("event is %+v", got)
	}
	h.claims(routeKey("github", "app"), start.Add(9), 9, time.Time{})
	h.claims(routeKey("github", "audit"), start.Add(5), 9, start.Add(6))
	h.claims(routeKey("github", "late"), start.Add(7), 9, time.Time{}, e)

	h.update(e.ID, func(e *queue.Event) { e.Dedup = queue.Dedup{} })
	if got := h.remembers(start); len(got) != 0 {
		h.Errorf("remembered %v after that was cleared", got)
	}
	h.is(h.Update(h.Context(), queue.ID{1}, func(*queue.Event) error { return nil }), queue.ErrNotFound)
}

func testFailingUpdate(h *harness) {
	e := NewEvent(h, "github", start, "app")
	h.append(e)
	refused := errors.New("refused")
	h.is(h.Update(h.Context(), e.ID, func(e *queue.Event) error {
		e.State, e.Dedup = queue.Unrouted, queue.Dedup{}
		deliver(queue.Dead, start)(e)
		return refused
	}), refused)
	if err := h.Update(h.Context(), e.ID, func(*queue.Event) error { panic("what now") }); err == nil {
		h.Fatal("a change that panics is no error")
	}
	got, err := h.Get(h.Context(), e.ID)
	h.no(err)
	if !same(got, e) {
		h.Fatalf("a failing change left %+v", got)
	}
	if len(h.remembers(start)) != 1 {
		h.Fatal("a failing change removed the dedup entry")
	}
	h.claims(routeKey("github", "app"), start, 9, time.Time{}, e)
	h.addsUp()
}

func testRemove(h *harness) {
	e, other := NewEvent(h, "github", start, "app"), NewEvent(h, "github", start.Add(1), "app")
	h.append(e, other)
	h.no(h.Remove(h.Context(), e.ID))
	_, err := h.Get(h.Context(), e.ID)
	h.is(err, queue.ErrNotFound)
	h.is(h.Remove(h.Context(), e.ID), queue.ErrNotFound)
	h.has(other)
	h.claims(routeKey("github", "app"), start.Add(1), 9, time.Time{}, other)
	if got := h.remembers(start); len(got) != 1 || got[0].id != other.ID {
		h.Fatalf("remembered %v", got)
	}
	h.addsUp()
}

func testClose(h *harness) {
	e := NewEvent(h, "github", start, "app")
	h.append(e)
	h.no(h.Close())
	ctx := h.Context()
	h.is(Append(ctx, h.Store, NewEvent(h, "github", start, "app")), queue.ErrClosed)
	h.is(h.Update(ctx, e.ID, func(*queue.Event) error { return nil }), queue.ErrClosed)
	h.is(h.Remove(ctx, e.ID), queue.ErrClosed)
	_, err := h.Get(ctx, e.ID)
	h.is(err, queue.ErrClosed)
	_, _, err = h.Claim(ctx, routeKey("github", "app"), start, time.Minute, 1)
	h.is(err, queue.ErrClosed)
	h.is(h.List(ctx, queue.ID{}, func(*queue.Event) bool { return true }), queue.ErrClosed)
	h.is(h.Remembered(ctx, start, func(string, queue.ID, queue.Dedup) bool { return true }), queue.ErrClosed)
	h.is(h.Expire(ctx, start, forever), queue.ErrClosed)
	h.is(h.Close(), queue.ErrClosed)
	h.Release(routeKey("github", "app"), e.ID)
	h.Usage()
	h.Undelivered("github")
}
