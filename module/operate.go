package module

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// An operation on many events is made in steps, so that no request takes long
// and whoever breaks it off knows how far it has come. A step is made in pages,
// each of which is a transaction.
const (
	stepEvents = 2000
	stepTime   = 2 * time.Second
	stepPage   = 100
)

// operation is what an operator does with events: replay or drop.
type operation struct {
	name string
	idle queue.Left // says of an event that is named why nothing was done
	on   func(context.Context, *queue.Engine, *queue.Event) (queue.Operation, error)
}

// Done is what became of an operation, or of a step of one.
type Done struct {
	Events     int            `json:"events"`
	Deliveries int            `json:"deliveries"`
	Parked     int            `json:"parked,omitempty"` // replayed deliveries that nobody delivers for now
	Left       map[string]int `json:"left,omitempty"`   // events that were left as they are, by reason
	Next       string         `json:"next,omitempty"`   // what the next step comes after
}

// maker makes an operation out of a query. The filter is nil for an event that
// the caller named.
type maker func(*App, url.Values, *Filter) (*operation, error)

// one has an operation done with the event that a request names.
func one(build maker) func(*App, *http.Request) (any, error) {
	return func(a *App, r *http.Request) (any, error) {
		query := r.URL.Query()
		op, err := build(a, query, nil)
		if err != nil {
			return nil, badRequest{err}
		}
		engine, event, err := a.event(r)
		if err != nil {
			return nil, err
		}
		s := step{engine: engine, dry: query.Get("dry_run") != ""}
		ending := queue.Ending{}
		do, err := op.on(r.Context(), engine, event)
		if err == nil {
			ending = s.do(r.Context(), []queue.Task{{Event: event, Operation: do}})[0]
			err = ending.Err
		}
		switch {
		case errors.Is(err, queue.LeftIdle):
			return nil, op.idle
		case err != nil:
			return nil, err
		}
		s.note(ending)
		op.log(a, &s, zap.Stringer("event", event.ID))
		return s.Done, nil
	}
}

// many has a step of an operation done with the events that a request selects.
func many(build maker) func(*App, *http.Request) (any, error) {
	return func(a *App, r *http.Request) (any, error) {
		query := r.URL.Query()
		filter, err := parseFilter(query)
		if err != nil {
			return nil, badRequest{err}
		}
		op, err := build(a, query, &filter)
		if err != nil {
			return nil, badRequest{err}
		}
		engine, err := a.open()
		if err != nil {
			return nil, err
		}
		s := &step{engine: engine, dry: query.Get("dry_run") != ""}
		err = s.run(r.Context(), op, &filter)
		op.log(a, s)
		return s.Done, err
	}
}

// log says in the log what was done.
func (op *operation) log(a *App, s *step, fields ...zap.Field) {
	if !s.dry && s.Events > 0 {
		fields = append(fields, zap.Int("events", s.Events), zap.Int("deliveries", s.Deliveries))
		a.logger.Info(op.name+" by an operator", fields...)
	}
}

// step is a step of an operation on many events.
type step struct {
	engine *queue.Engine
	dry    bool
	Done
	page   []queue.Task
	failed error
}

// run does the operation with the first events that the filter selects, the
// oldest first.
func (s *step) run(ctx context.Context, op *operation, filter *Filter) error {
	limit := stepEvents
	if filter.Limit > 0 {
		limit = min(limit, filter.Limit)
	}
	began, chosen := time.Now(), 0
	next, err := filter.scan(ctx, s.engine, true, func(e *queue.Event) bool {
		do, err := op.on(ctx, s.engine, e)
		if err != nil {
			s.note(queue.Ending{Err: err})
		} else {
			e.Request = nil // which may be large
			s.page = append(s.page, queue.Task{Event: e, Operation: do})
		}
		if chosen++; chosen%stepPage == 0 {
			s.flush(ctx)
		}
		return chosen < limit && time.Since(began) < stepTime && s.failed == nil
	})
	s.flush(ctx)
	if next != (queue.ID{}) {
		s.Next = next.String()
	}
	return errors.Join(err, s.failed)
}

// flush does what waits in the page.
func (s *step) flush(ctx context.Context) {
	for _, ending := range s.do(ctx, s.page) {
		s.note(ending)
	}
	s.page = s.page[:0]
}

func (s *step) do(ctx context.Context, tasks []queue.Task) (endings []queue.Ending) {
	if !s.dry {
		return s.engine.Operate(ctx, tasks)
	}
	for _, task := range tasks {
		endings = append(endings, s.engine.Try(task))
	}
	return endings
}

func (s *step) note(ending queue.Ending) {
	var left queue.Left
	switch err := ending.Err; {
	case err == nil:
		s.Events++
		s.Deliveries += ending.Deliveries
		s.Parked += ending.Parked
	case errors.Is(err, queue.LeftIdle), errors.Is(err, queue.ErrNotFound):
	case errors.As(err, &left):
		if s.Left == nil {
			s.Left = make(map[string]int)
		}
		s.Left[string(left)]++
	default:
		s.failed = err
	}
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
	op.on = func(ctx context.Context, engine *queue.Engine, e *queue.Event) (queue.Operation, error) {
		routes, err := a.destinations(ctx, engine, e, to, reroute)
		if err != nil {
			return nil, err
		}
		keys, err := a.keys(ctx, engine, e, routes)
		return queue.Replay{Pick: pick, To: routes, Keys: keys}, err
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
		if h.routeNamed(to) == nil {
			return nil, queue.Left("its source has no route " + to)
		}
		return []string{to}, nil
	}
	if err := loadRequest(ctx, engine, e); err != nil {
		return nil, err
	}
	view := storedView(e)
	defer view.Free()
	return append([]string{}, h.route(view)...), nil
}

// keys returns what an event is ordered by on its way to those of the routes
// that keep an order.
func (a *App) keys(ctx context.Context, engine *queue.Engine, e *queue.Event, routes []string) (map[string]string, error) {
	keys := make(map[string]string)
	for _, name := range routes {
		r := a.sources[e.Source].handler.routeNamed(name)
		if r == nil || r.Order == nil {
			continue
		}
		if err := loadRequest(ctx, engine, e); err != nil {
			return nil, err
		}
		keys[name] = r.storedKey(e)
	}
	return keys, nil
}

// loadRequest loads the request of an event that comes without it.
func loadRequest(ctx context.Context, engine *queue.Engine, e *queue.Event) error {
	if e.Request != nil {
		return nil
	}
	whole, err := engine.Get(ctx, e.ID)
	if err != nil {
		return err
	}
	e.Request = whole.Request
	return nil
}

// routeNamed returns the route of that name, or nil.
func (h *Handler) routeNamed(name string) *Route {
	for _, r := range h.Routes {
		if r.Name == name {
			return r
		}
	}
	return nil
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
	op.on = func(_ context.Context, _ *queue.Engine, e *queue.Event) (queue.Operation, error) {
		unproven := e.State == queue.Held || e.State == queue.Uncertain
		if unproven && (route != "" || filter != nil && state != string(e.State)) {
			return nil, queue.LeftIdle
		}
		return queue.Drop{Pick: pick}, nil
	}
	return op, nil
}
