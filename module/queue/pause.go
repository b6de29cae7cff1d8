package queue

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
)

// Pause parks the deliveries to routes until Resume, over restarts and reloads. Attempts
// that run end as always, and events go on being accepted.
func (e *Engine) Pause(ctx context.Context, routes ...RouteKey) error {
	return e.setPaused(ctx, true, routes)
}

// Resume ends what Pause began.
func (e *Engine) Resume(ctx context.Context, routes ...RouteKey) error {
	return e.setPaused(ctx, false, routes)
}

// Paused returns the paused routes, sorted.
func (e *Engine) Paused() []RouteKey {
	paused := e.paused.Load()
	if paused == nil {
		return nil
	}
	return slices.SortedFunc(maps.Keys(*paused), func(a, b RouteKey) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Route, b.Route))
	})
}

// IsPaused reports whether a route is paused.
func (e *Engine) IsPaused(route RouteKey) bool {
	paused := e.paused.Load()
	return paused != nil && (*paused)[route]
}

// mayRun reports whether a route is known not to be paused. Until the engine has
// recalled the paused routes, no route may run.
func (e *Engine) mayRun(route RouteKey) bool {
	paused := e.paused.Load()
	return paused != nil && !(*paused)[route]
}

// setPaused stores whether routes are paused, and makes a snapshot in which paused
// routes have no queue.
func (e *Engine) setPaused(ctx context.Context, paused bool, routes []RouteKey) (err error) {
	e.attaching.Lock()
	defer e.attaching.Unlock()
	if !e.recall() {
		return ErrUnavailable
	}
	known := maps.Clone(*e.paused.Load())
	for _, route := range routes {
		if err = e.store.SetPaused(ctx, route, paused); err != nil {
			err = fmt.Errorf("storing pause: %w", err)
			break
		}
		if paused {
			known[route] = true
		} else {
			delete(known, route)
		}
	}
	e.paused.Store(&known)
	e.renewSnapshot()
	return err
}

// renewSnapshot makes a new snapshot of the configuration in force, unless that is being
// detached.
func (e *Engine) renewSnapshot() {
	if cfg := e.snapshot.Load().cfg; slices.Contains(e.attached, cfg) {
		e.workBy(cfg)
	}
}
