package operate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// A bulk operation is made in steps, so that no request takes long and whoever
// breaks the operation off knows how far it has come. A step is made in pages,
// each of which is a transaction.
const (
	stepEvents = 2000
	stepTime   = 2 * time.Second
	stepPage   = 100
)

// bulk is an operation on many events: a replay or a drop.
type bulk struct {
	verb      string
	idle      queue.Left // says of an event that is named why nothing was done
	operation func(context.Context, *queue.Engine, *queue.Event) (queue.Operation, error)
}

// Done is what became of a bulk operation, or of a step of one.
type Done struct {
	Events     int            `json:"events"`
	Deliveries int            `json:"deliveries"`
	Parked     int            `json:"parked,omitempty"` // replayed deliveries that nobody delivers for now
	Left       map[string]int `json:"left,omitempty"`   // events that were left as they are, by reason
	Next       string         `json:"next,omitempty"`   // what the next step comes after
}

// bulkEvent does the operation with one event, on its way to a route unless route is
// empty.
func (s *Service) bulkEvent(ctx context.Context, b *bulk, id, route string, dryRun bool) (*Done, error) {
	engine, event, err := s.event(ctx, id)
	if err != nil {
		return nil, err
	}
	if route != "" && !s.hasRoute(event, route) {
		return nil, NotFoundError{fmt.Errorf("no route is named %s, neither of the event nor of its source %s", route, event.Source)}
	}
	step := bulkStep{engine: engine, dryRun: dryRun}
	ending := queue.Ending{}
	operation, err := b.operation(ctx, engine, event)
	if err == nil {
		ending = step.do(ctx, []queue.Task{{Event: event, Operation: operation}})[0]
		err = ending.Err
	}
	switch {
	case errors.Is(err, queue.LeftIdle):
		return nil, b.idle
	case err != nil:
		return nil, err
	}
	step.note(ending)
	s.logBulk(b, &step, zap.Stringer("event", event.ID))
	return &step.Done, nil
}

// bulkSelected does a step of the operation: with the first events that a filter
// selects, the oldest first.
func (s *Service) bulkSelected(ctx context.Context, b *bulk, f Filter, dryRun bool) (*Done, error) {
	selected, err := s.selection(f)
	if err != nil {
		return nil, err
	}
	engine, err := s.app.Engine()
	if err != nil {
		return nil, err
	}
	step := &bulkStep{engine: engine, dryRun: dryRun}
	err = step.run(ctx, b, selected)
	s.logBulk(b, step)
	return &step.Done, err
}

// logBulk writes into the log what was done.
func (s *Service) logBulk(b *bulk, step *bulkStep, fields ...zap.Field) {
	if !step.dryRun && step.Events > 0 {
		s.log(b.verb, append(fields, zap.Int("events", step.Events), zap.Int("deliveries", step.Deliveries))...)
	}
}

// bulkStep is a step of a bulk operation.
type bulkStep struct {
	Done
	engine *queue.Engine
	dryRun bool
	page   []queue.Task
	failed error
}

// run does the step.
func (step *bulkStep) run(ctx context.Context, b *bulk, selected *selection) error {
	limit := stepEvents
	if selected.Limit > 0 {
		limit = min(limit, selected.Limit)
	}
	began, chosen := time.Now(), 0
	next, err := selected.scan(ctx, step.engine, true, func(e *queue.Event) bool {
		operation, err := b.operation(ctx, step.engine, e)
		if err != nil {
			step.note(queue.Ending{Err: err})
		} else {
			e.Request = nil // which may be large
			step.page = append(step.page, queue.Task{Event: e, Operation: operation})
		}
		if chosen++; chosen%stepPage == 0 {
			step.flush(ctx)
		}
		return chosen < limit && time.Since(began) < stepTime && step.failed == nil
	})
	step.flush(ctx)
	if next != (queue.ID{}) {
		step.Next = next.String()
	}
	return errors.Join(err, step.failed)
}

// flush does what waits in the page.
func (step *bulkStep) flush(ctx context.Context) {
	for _, ending := range step.do(ctx, step.page) {
		step.note(ending)
	}
	step.page = step.page[:0]
}

// do does the operation with some events, or only tries to.
func (step *bulkStep) do(ctx context.Context, tasks []queue.Task) (endings []queue.Ending) {
	if !step.dryRun {
		return step.engine.Bulk(ctx, tasks)
	}
	for _, task := range tasks {
		endings = append(endings, step.engine.Try(task))
	}
	return endings
}

// note counts what became of an event.
func (step *bulkStep) note(ending queue.Ending) {
	var left queue.Left
	switch err := ending.Err; {
	case err == nil:
		step.Events++
		step.Deliveries += ending.Deliveries
		step.Parked += ending.Parked
	case errors.Is(err, queue.LeftIdle), errors.Is(err, queue.ErrNotFound):
	case errors.As(err, &left):
		if step.Left == nil {
			step.Left = make(map[string]int)
		}
		step.Left[string(left)]++
	default:
		step.failed = err
	}
}

// bulkEvent asks for an operation on one event.
func (c *client) bulkEvent(verb, id, route string, query url.Values, dryRun bool) (*Done, error) {
	setOptional(query, "route", route)
	return c.bulk(eventPath(id, verb), query, dryRun)
}

// bulkSelected asks for a step of an operation.
func (c *client) bulkSelected(path string, f Filter, query url.Values, dryRun bool) (*Done, error) {
	for name, values := range f.query() {
		query[name] = values
	}
	return c.bulk(path, query, dryRun)
}

func (c *client) bulk(path string, query url.Values, dryRun bool) (done *Done, err error) {
	setFlag(query, "dry_run", dryRun)
	err = c.call(http.MethodPost, path, query, &done)
	return done, err
}
