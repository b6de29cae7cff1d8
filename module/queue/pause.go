package queue

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
)

// Pause parks the deliveries of routes until Resume, over restarts and
// reloads. Attempts that run end as always, and events go on being accepted.
func (e *Engine) Pause(ctx context.Context, lanes ...Lane) error {
	return e.setPaused(ctx, true, lanes)
}

// Resume ends what Pause began.
func (e *Engine) Resume(ctx context.Context, lanes ...Lane) error {
	return e.setPaused(ctx, false, lanes)
}

// Paused returns the routes that are paused, in order.
func (e *Engine) Paused() []Lane {
	paused := e.paused.Load()
	if paused == nil {
		return nil
	}
	return slices.SortedFunc(maps.Keys(*paused), func(a, b Lane) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Route, b.Route))
	})
}

// IsPaused reports whether a route is paused.
func (e *Engine) IsPaused(lane Lane) bool {
	paused := e.paused.Load()
	return paused != nil && (*paused)[lane]
}

// mayRun reports whether a route is not paused for certain: until the engine
// recalls what is, nothing runs.
func (e *Engine) mayRun(lane Lane) bool {
	paused := e.paused.Load()
	return paused != nil && !(*paused)[lane]
}

// setPaused stores whether routes are paused, and makes a plan in which those
// that are have no lane.
func (e *Engine) setPaused(ctx context.Context, paused bool, lanes []Lane) (err error) {
	e.attaching.Lock()
	defer e.attaching.Unlock()
	if !e.recall() {
		return ErrUnavailable
	}
	known := maps.Clone(*e.paused.Load())
	for _, lane := range lanes {
		if err = e.store.SetPaused(ctx, lane, paused); err != nil {
			err = fmt.Errorf("storing pause: %w", err)
			break
		}
		if paused {
			known[lane] = true
		} else {
			delete(known, lane)
		}
	}
	e.paused.Store(&known)
	e.replan()
	return err
}

// replan makes the plan in force anew, unless its configuration is being
// detached.
func (e *Engine) replan() {
	if cfg := e.plan.Load().cfg; slices.Contains(e.attached, cfg) {
		e.workBy(cfg)
	}
}
