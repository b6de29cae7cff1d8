package queuetest

import (
	"errors"
	"slices"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

func testAscend(h *harness) {
	events := h.fill(600, "app")
	slices.Reverse(events)
	ascend := func(after queue.ID, limit int) (got []*queue.Event) {
		h.Helper()
		h.no(h.Ascend(h.Context(), after, func(e *queue.Event) bool {
			got = append(got, e)
			return len(got) < limit
		}))
		return got
	}
	h.equal("listed", ids(ascend(queue.ID{}, 9999)), ids(events))
	for _, from := range []int{0, 1, 255, 256, 257, 512, 599} {
		h.equal("listed", ids(ascend(events[from].ID, 300)), ids(events[from+1:min(from+301, len(events))]))
	}
	between := events[3].ID
	h.no(h.Remove(h.Context(), between))
	got := ascend(between, 1)
	h.equal("listed above an event that has gone", ids(got), ids(events[4:5]))
	if !same(got[0], withoutRequest(events[4])) {
		h.Errorf("listed %+v, want %+v", got[0], events[4])
	}
	h.no(h.Close())
	h.is(h.Ascend(h.Context(), queue.ID{}, func(*queue.Event) bool { return true }), queue.ErrClosed)
}

func testUpdateAll(h *harness) {
	var events []*queue.Event
	for range 4 {
		events = append(events, NewEvent(h, "github", start, "app"))
	}
	missing := NewEvent(h, "github", start, "app")
	h.append(events...)
	h.claims(app, start, 1, start, events[0])
	refusal := errors.New("no")
	list := []queue.ID{events[2].ID, missing.ID, events[1].ID, events[0].ID}
	var met []queue.ID
	h.no(h.UpdateAll(h.Context(), list, func(e *queue.Event) error {
		if e.Request != nil {
			h.Error("an event is updated with its request")
		}
		met = append(met, e.ID)
		e.Deliveries[0].Due, e.Type = start.Add(time.Second), "changed"
		if e.ID == events[1].ID {
			return refusal
		}
		return nil
	}))
	h.equal("met", met, []queue.ID{events[2].ID, events[1].ID, events[0].ID})
	h.addsUp()
	// The lease of the first event has ended. The refused event is as it was.
	h.claims(app, start, 9, start.Add(time.Second), events[1], events[3])
	h.claims(app, start.Add(time.Second), 9, time.Time{}, events[0], events[2])
	for i, want := range []string{"changed", events[1].Type, "changed", events[3].Type} {
		got, err := h.Get(h.Context(), events[i].ID)
		h.no(err)
		if got.Type != want {
			h.Errorf("event %d has the type %s, want %s", i, got.Type, want)
		}
	}
	h.reopen()
	got, err := h.Get(h.Context(), events[2].ID)
	h.no(err)
	if got.Type != "changed" {
		h.Error("a change is lost")
	}

	h.no(h.Close())
	h.is(h.UpdateAll(h.Context(), list, func(*queue.Event) error { return nil }), queue.ErrClosed)
}
