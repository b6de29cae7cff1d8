package queuetest

import (
	"cmp"
	"slices"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

func testPaused(h *harness) {
	h.paused()
	// Names that are easily taken for each other when they are put together.
	lanes := []queue.Lane{lane("", "abc"), lane("a", "bc"), lane("ab", "c"), lane("abc", "")}
	for _, l := range lanes {
		h.no(h.SetPaused(h.Context(), l, true))
	}
	h.no(h.SetPaused(h.Context(), lanes[1], true)) // once more
	h.paused(lanes...)
	h.reopen()
	h.paused(lanes...)
	h.no(h.SetPaused(h.Context(), lanes[1], false))
	h.no(h.SetPaused(h.Context(), app, false)) // which was not
	h.paused(lanes[0], lanes[2], lanes[3])

	// It is a mark that the engine goes by. The store hands out all the same.
	e := NewEvent(h, "a", start, "b")
	h.append(e)
	h.no(h.SetPaused(h.Context(), lane("a", "b"), true))
	h.claims(lane("a", "b"), start, 9, time.Time{}, e)
	h.addsUp()
	h.no(h.SetPaused(h.Context(), lane("a", "b"), false))
	h.reopen()
	h.paused(lanes[0], lanes[2], lanes[3])

	h.no(h.Close())
	h.is(h.SetPaused(h.Context(), app, true), queue.ErrClosed)
	_, err := h.Paused()
	h.is(err, queue.ErrClosed)
}

// paused says which lanes are paused.
func (h *harness) paused(want ...queue.Lane) {
	h.Helper()
	got, err := h.Paused()
	h.no(err)
	slices.SortFunc(got, func(a, b queue.Lane) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Route, b.Route))
	})
	if !slices.Equal(got, want) {
		h.Fatalf("paused are %q, want %q", got, want)
	}
}
