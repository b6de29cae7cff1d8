package module

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// An operation on many events is made in steps, so that no request takes long
// and whoever breaks it off knows how far it has come.
const (
	stepEvents  = 1000
	stepTime    = 2 * time.Second
	stepWorkers = 64 // what they store shares transactions
)

// operation is what an operator does with events: replay or drop.
type operation struct {
	name string
	idle queue.Left // says of an event that is named why nothing was done
	do   func(ctx context.Context, engine *queue.Engine, e *queue.Event, dry bool) (deliveries int, err error)
}

// Done is what became of an operation, or of a step of one.
type Done struct {
	Events     int            `json:"events"`
	Deliveries int            `json:"deliveries"`
	Left       map[string]int `json:"left,omitempty"` // events that were left as they are, by reason
	Next       string         `json:"next,omitempty"` // where the next step begins
}

// maker makes an operation out of a query. The filter is nil for an event that
// the caller named.
type maker func(*App, url.Values, *Filter) (*operation, error)

// one has an operation done with the event that a request names.
func one(make maker) func(*App, *http.Request) (any, error) {
	return func(a *App, r *http.Request) (any, error) {
		query := r.URL.Query()
		op, err := make(a, query, nil)
		if err != nil {
			return nil, badRequest{err}
		}
		engine, event, err := a.event(r)
		if err != nil {
			return nil, err
		}
		dry := query.Get("dry_run") != ""
		n, err := op.do(r.Context(), engine, event, dry)
		switch {
		case errors.Is(err, queue.LeftIdle):
			return nil, op.idle
		case err != nil:
			return nil, err
		}
		if !dry {
			a.logger.Info(op.name+" by an operator", zap.Stringer("event", event.ID), zap.Int("deliveries", n))
		}
		return Done{Events: 1, Deliveries: n}, nil
	}
}

// many has a step of an operation done with the events that a request selects.
func many(make maker) func(*App, *http.Request) (any, error) {
	return func(a *App, r *http.Request) (any, error) {
		query := r.URL.Query()
		filter, err := parseFilter(query)
		if err != nil {
			return nil, badRequest{err}
		}
		op, err := make(a, query, &filter)
		if err != nil {
			return nil, badRequest{err}
		}
		engine, err := a.open()
		if err != nil {
			return nil, err
		}
		dry := query.Get("dry_run") != ""
		done, err := op.step(r.Context(), engine, &filter, dry)
		if !dry && done.Events > 0 {
			a.logger.Info(op.name+" by an operator", zap.Int("events", done.Events), zap.Int("deliveries", done.Deliveries))
		}
		return done, err
	}
}

// step does the operation with the first events that the filter selects.
func (op *operation) step(ctx context.Context, engine *queue.Engine, filter *Filter, dry bool) (Done, error) {
	limit := stepEvents
	if filter.Limit > 0 {
		limit = min(limit, filter.Limit)
	}
	s := &step{Done: Done{Left: make(map[string]int)}, free: make(chan struct{}, stepWorkers)}
	began, chosen := time.Now(), 0
	next, err := filter.scan(ctx, engine, func(e *queue.Event) bool {
		chosen++
		s.free <- struct{}{}
		s.workers.Go(func() {
			n, err := op.do(ctx, engine, e, dry)
			s.note(n, err)
			<-s.free
		})
		return chosen < limit && time.Since(began) < stepTime && s.err() == nil
	})
	s.workers.Wait()
	if next != (queue.ID{}) {
		s.Next = next.String()
	}
	return s.Done, errors.Join(err, s.err())
}

// step counts what becomes of its events.
type step struct {
	free    chan struct{}
	workers sync.WaitGroup

	mu sync.Mutex
	Done
	failed error
}

func (s *step) note(deliveries int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var left queue.Left
	switch {
	case err == nil:
		s.Events++
		s.Deliveries += deliveries
	case errors.Is(err, queue.LeftIdle), errors.Is(err, queue.ErrNotFound):
	case errors.As(err, &left):
		s.Left[string(left)]++
	default:
		s.failed = err
	}
}

func (s *step) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// newReplay makes a replay. Of the events that a filter selects it means the
// deliveries that the filter names, dead ones unless it names a state; of an
// event that the caller named, what has not been delivered, or the route that
// the caller named.
func newReplay(a *App, query url.Values, filter *Filter) (*operation, error) {
	to, route, reroute := query.Get("to"), query.Get("route"), query.Get("reroute") != ""
	if to != "" && reroute {
		return nil, errors.New("to and reroute exclude each other")
	}
	pick := func(d *queue.Delivery, state queue.DeliveryState) bool {
		return d.Route == route || route == "" && (to != "" || state != queue.Delivered)
	}
	if filter != nil {
		if filter.State == "" {
			filter.State = string(queue.Dead)
		}
		want := queue.DeliveryState(filter.State)
		if slices.Contains(eventStates, filter.State) {
			want = queue.Dead
		}
		pick = func(d *queue.Delivery, state queue.DeliveryState) bool {
			return state == want && (route == "" || route == d.Route)
		}
	}
	op := &operation{name: "replay", idle: "nothing of it is to be sent again; name a route to send what was delivered: --route <name>"}
	op.do = func(ctx context.Context, engine *queue.Engine, e *queue.Event, dry bool) (int, error) {
		routes, err := a.destinations(ctx, engine, e, to, reroute)
		if err != nil {
			return 0, err
		}
		replay := queue.Replay{Pick: pick, To: routes}
		if dry {
			return engine.TryReplay(e, replay)
		}
		return engine.Replay(ctx, e, replay)
	}
	return op, nil
}

// destinations returns the routes that a replay is to send an event to, nil
// for those that it has.
func (a *App) destinations(ctx context.Context, engine *queue.Engine, e *queue.Event, to string, reroute bool) ([]string, error) {
	if to == "" && !reroute && e.State == queue.Routed || e.State == queue.Held {
		return nil, nil
	}
	registered := a.sources[e.Source]
	if registered == nil {
		return nil, queue.Left("its source is not in the configuration")
	}
	h := registered.handler
	if to != "" {
		if !h.hasRoute(to) {
			return nil, queue.Left("its source has no route " + to)
		}
		return []string{to}, nil
	}
	if e.Request == nil {
		whole, err := engine.Get(ctx, e.ID)
		if err != nil {
			return nil, err
		}
		e.Request = whole.Request
	}
	return append([]string{}, h.routeStored(e)...), nil
}

func (h *Handler) hasRoute(name string) bool {
	return slices.ContainsFunc(h.Routes, func(r *Route) bool { return r.Name == name })
}

// newDrop makes a drop of what waits. Events that are held or uncertain must
// be named, or their state must be.
func newDrop(_ *App, query url.Values, filter *Filter) (*operation, error) {
	route, state := query.Get("route"), ""
	if filter != nil {
		state = filter.State
	}
	switch queue.DeliveryState(state) {
	case queue.Delivered, queue.Dead, queue.DeliveryState(queue.Unrouted):
		return nil, fmt.Errorf("what is %s waits for nothing; dropped can be what is pending, parked, held or uncertain", state)
	}
	pick := func(d *queue.Delivery, s queue.DeliveryState) bool {
		return (route == "" || route == d.Route) && (state == "" || state == string(queue.Routed) || state == string(s))
	}
	op := &operation{name: "drop", idle: "nothing of it waits"}
	op.do = func(ctx context.Context, engine *queue.Engine, e *queue.Event, dry bool) (int, error) {
		unproven := e.State == queue.Held || e.State == queue.Uncertain
		if unproven && (route != "" || filter != nil && state != string(e.State)) {
			return 0, queue.LeftIdle
		}
		if dry {
			return engine.TryDrop(e, pick)
		}
		return engine.Drop(ctx, e, pick)
	}
	return op, nil
}
