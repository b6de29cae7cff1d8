package module

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// Filter selects events.
type Filter struct {
	State, Source, Route, Event string
	Older, Newer                time.Time
	Limit                       int
}

// An answer is built in memory, so it has a limit.
const defaultLimit, maxLimit = 50, 100_000

// parseFilter reads a filter from a query. Times are RFC 3339, or durations
// back from now.
func parseFilter(query url.Values) (f Filter, err error) {
	f = Filter{State: query.Get("state"), Source: query.Get("source"), Route: query.Get("route"),
		Event: query.Get("event"), Limit: defaultLimit}
	if f.State != "" && !slices.Contains(states, f.State) {
		return f, fmt.Errorf("unknown state %q: want one of %v", f.State, states)
	}
	if limit := query.Get("limit"); limit != "" {
		if f.Limit, err = strconv.Atoi(limit); err != nil || f.Limit < 1 || f.Limit > maxLimit {
			return f, fmt.Errorf("limit %q is not a number from 1 to %d", limit, maxLimit)
		}
	}
	if f.Older, err = parseMoment(query.Get("older")); err != nil {
		return f, err
	}
	f.Newer, err = parseMoment(query.Get("newer"))
	return f, err
}

var states = []string{string(queue.Routed), string(queue.Unrouted), string(queue.Held), string(queue.Uncertain),
	string(queue.Pending), string(queue.Delivering), string(queue.Parked), string(queue.Delivered), string(queue.Dead)}

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

// matches reports whether the filter selects an event.
func (f *Filter) matches(e *EventInfo) bool {
	return (f.Source == "" || e.Source == f.Source) &&
		(f.Event == "" || e.Type == f.Event) &&
		(f.Older.IsZero() || e.ReceivedAt.Before(f.Older)) &&
		(f.Newer.IsZero() || e.ReceivedAt.After(f.Newer)) &&
		(f.Route == "" && (f.State == "" || f.State == e.State) || e.hasDelivery(f.Route, f.State))
}

// passed reports whether no older event can match.
func (f *Filter) passed(e *queue.Event) bool {
	return !f.Newer.IsZero() && e.ReceivedAt.Before(f.Newer)
}
