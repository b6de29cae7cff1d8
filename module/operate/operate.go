package operate

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module"
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
type maker func(*module.App, url.Values, *Filter) (*operation, error)

// one has an operation done with the event that a request names.
func one(build maker) func(*module.App, *http.Request) (any, error) {
	return func(a *module.App, r *http.Request) (any, error) {
		query := r.URL.Query()
		op, err := build(a, query, nil)
		if err != nil {
			return nil, badRequest{err}
		}
		engine, event, err := event(a, r)
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
func many(build maker) func(*module.App, *http.Request) (any, error) {
	return func(a *module.App, r *http.Request) (any, error) {
		query := r.URL.Query()
		filter, err := parseFilter(query)
		if err != nil {
			return nil, badRequest{err}
		}
		op, err := build(a, query, &filter)
		if err != nil {
			return nil, badRequest{err}
		}
		engine, err := a.Engine()
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
func (op *operation) log(a *module.App, s *step, fields ...zap.Field) {
	if !s.dry && s.Events > 0 {
		fields = append(fields, zap.Int("events", s.Events), zap.Int("deliveries", s.Deliveries))
		a.Logger().Info(op.name+" by an operator", fields...)
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
		return s.engine.Bulk(ctx, tasks)
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
