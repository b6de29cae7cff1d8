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
	routes := []queue.RouteKey{routeKey("", "abc"), routeKey("a", "bc"), routeKey("ab", "c"), routeKey("abc", "")}
	for _, l := range routes {
		h.no(h.SetPaused(h.Context(), l, true))
	}
	h.no(h.SetPaused(h.Context(), routes[1], true)) // once more
	h.paused(routes...)
	h.reopen()
	h.paused(routes...)
	h.no(h.SetPaused(h.Context(), routes[1], false))
	h.no(h.SetPaused(h.Context(), app, false)) // which was not
	h.paused(routes[0], routes[2], routes[3])

	// The engine goes by the mark. The store hands out events all the same.
	e := NewEvent(h, "a", start, "b")
	h.append(e)
	h.no(h.SetPaused(h.Context(), routeKey("a", "b"), true))
	h.claims(routeKey("a", "b"), start, 9, time.Time{}, e)
	h.addsUp()
	h.no(h.SetPaused(h.Context(), routeKey("a", "b"), false))
	h.reopen()
	h.paused(routes[0], routes[2], routes[3])

	h.no(h.Close())
	h.is(h.SetPaused(h.Context(), app, true), queue.ErrClosed)
	_, err := h.Paused()
	h.is(err, queue.ErrClosed)
}

// paused fails the test unless these are the paused routes.
func (h *harness) paused(want ...queue.RouteKey) {
	h.Helper()
	got, err := h.Paused()
	h.no(err)
	slices.SortFunc(got, func(a, b queue.RouteKey) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Route, b.Route))
	})
	if !slices.Equal(got, want) {
		h.Fatalf("paused are %q, want %q", got, want)
	}
}
