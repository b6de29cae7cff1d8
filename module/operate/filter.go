package operate

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/rules"
)

// Filter selects events. Fields that are empty select all.
type Filter struct {
	State, Source, Route, Event string
	Older, Newer                time.Time
	Where                       *rules.Rule
	Before, After               queue.ID // where a page begins, and what the caller has seen
	Limit                       int      // 0 = none
}

// filterNames are the names of what a person may filter by.
var filterNames = []string{"state", "source", "route", "event", "older", "newer", "where", "limit", "before"}

// parseFilter reads a filter from a query. Times are RFC 3339, or durations
// back from now.
func parseFilter(query url.Values) (f Filter, err error) {
	f = Filter{State: query.Get("state"), Source: query.Get("source"), Route: query.Get("route"), Event: query.Get("event")}
	if f.State != "" && !slices.Contains(states, f.State) {
		return f, fmt.Errorf("unknown state %q: want one of %v", f.State, states)
	}
	if limit := query.Get("limit"); limit != "" {
		if f.Limit, err = strconv.Atoi(limit); err != nil || f.Limit < 1 {
			return f, fmt.Errorf("limit %q is not a number from 1 on", limit)
		}
	}
	if f.Older, err = parseMoment(query.Get("older")); err != nil {
		return f, err
	}
	if f.Newer, err = parseMoment(query.Get("newer")); err != nil {
		return f, err
	}
	for name, id := range map[string]*queue.ID{"before": &f.Before, "after": &f.After} {
		if text := query.Get(name); text != "" {
			if *id, err = parseID(text); err != nil {
				return f, fmt.Errorf("%s: %v", name, err)
			}
		}
	}
	if where := query.Get("where"); where != "" {
		if f.Where, err = rules.Compile(where); err != nil {
			return f, fmt.Errorf("where: %v", err)
		}
	}
	return f, nil
}

var (
	eventStates = []string{string(queue.Routed), string(queue.Unrouted), string(queue.Held), string(queue.Uncertain)}
	states      = append(eventStates[:len(eventStates):len(eventStates)], string(queue.Pending), string(queue.Delivering),
		string(queue.Parked), string(queue.Delivered), string(queue.Dead))
)

func parseMoment(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return at, nil
	}
	ago, err := caddy.ParseDuration(text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is neither a time such as 2026-01-02T15:04:05Z nor a duration such as 2h", text)
	}
	return queue.Now().Add(-ago), nil
}

// scan yields the events that the filter selects, newest first below Before, or
// oldest first above After, until yield returns false. A filter with Where
// yields them with their requests. next is where a later scan goes on, zero if
// there is nothing more.
func (f *Filter) scan(ctx context.Context, engine *queue.Engine, oldestFirst bool, yield func(*queue.Event) bool) (next queue.ID, err error) {
	walk, from := engine.List, f.Before
	if oldestFirst {
		walk, from = engine.Ascend, f.After
	}
	var failed error
	err = walk(ctx, from, func(e *queue.Event) bool {
		if !oldestFirst && f.passed(e) {
			return false
		}
		if !f.matches(engine, e) {
			return true
		}
		if f.Where != nil {
			switch e, failed = f.whole(ctx, engine, e); {
			case failed != nil:
				return false
			case e == nil:
				return true
			}
		}
		if yield(e) {
			return true
		}
		next = e.ID
		return false
	})
	return next, errors.Join(err, failed)
}

// matches reports whether the filter selects an event, Where apart.
func (f *Filter) matches(engine *queue.Engine, e *queue.Event) bool {
	if f.Source != "" && e.Source != f.Source || f.Event != "" && e.Type != f.Event ||
		!f.Older.IsZero() && !e.ReceivedAt.Before(f.Older) || !f.Newer.IsZero() && !e.ReceivedAt.After(f.Newer) {
		return false
	}
	state := f.State
	if slices.Contains(eventStates, state) {
		if state != string(e.State) {
			return false
		}
		state = ""
	}
	return f.Route == "" && state == "" || slices.ContainsFunc(e.Deliveries, func(d queue.Delivery) bool {
		return (f.Route == "" || f.Route == d.Route) && (state == "" || state == string(engine.State(e, &d)))
	})
}

// whole loads the event with its request if Where holds for it. An expression
// that fails does not.
func (f *Filter) whole(ctx context.Context, engine *queue.Engine, e *queue.Event) (*queue.Event, error) {
	e, err := engine.Get(ctx, e.ID)
	switch {
	case errors.Is(err, queue.ErrUnavailable), errors.Is(err, queue.ErrClosed), ctx.Err() != nil:
		return nil, err
	case err != nil: // it has gone, or it is damaged and was set aside
		return nil, nil
	}
	view := module.StoredView(e)
	defer view.Free()
	if holds, _ := f.Where.Match(view); !holds {
		return nil, nil
	}
	return e, nil
}

// passed reports whether neither an event nor any older one can match. Events
// are in the order of their IDs, and received before they got one.
func (f *Filter) passed(e *queue.Event) bool {
	return !f.Newer.IsZero() && timeOf(e.ID).Before(f.Newer) ||
		f.After != (queue.ID{}) && slices.Compare(e.ID[:], f.After[:]) <= 0
}

// timeOf returns the millisecond in which an event got its ID; it ends later.
func timeOf(id queue.ID) time.Time {
	return time.Unix(id.Time().UnixTime()).Add(time.Millisecond)
}

// filterFlags adds the flags that select events.
func filterFlags(cmd *cobra.Command) {
	cmd.Flags().String("state", "", "Only events in this state, or with a delivery in it: "+strings.Join(states, ", "))
	cmd.Flags().String("source", "", "Only events of this source")
	cmd.Flags().String("route", "", "Only events with a delivery to this route")
	cmd.Flags().String("event", "", "Only events of this type")
	cmd.Flags().String("older", "", "Only events older than this: a time, or a duration back from now")
	cmd.Flags().String("newer", "", "Only events newer than this: a time, or a duration back from now")
	cmd.Flags().String("where", "", "Only events for which this expression holds, in the names that rules have")
	cmd.Flags().String("limit", "", "At most so many events")
}

// filterQuery reads the flags that select events. Those that are wrong are
// errors before anything is asked.
func (r *remote) filterQuery() (url.Values, error) {
	query := url.Values{}
	for _, name := range filterNames {
		if f := r.Flag(name); f != nil && f.Value.String() != "" {
			query.Set(name, f.Value.String())
		}
	}
	if _, err := parseFilter(query); err != nil {
		return nil, usageError{err}
	}
	return query, nil
}
