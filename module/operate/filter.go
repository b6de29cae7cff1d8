package operate

import (
	"context"
	"errors"
	"fmt"
	"maps"
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

// Filter selects events, in the words of an operator. Empty fields select all.
type Filter struct {
	State  string // of the event, or of a delivery
	Source string
	Tenant string
	Route  string // to which there is a delivery
	Event  string // the event type
	Older  string // a time as in RFC 3339, or a duration back from now
	Newer  string // the same
	Where  string // an expression over the stored event
	Before string // the ID where a page of a list begins
	After  string // the ID that the caller has seen
	Limit  int    // 0: none
}

// texts returns the fields that are texts, by their names in queries and flags.
func (f *Filter) texts() map[string]*string {
	return map[string]*string{
		"state": &f.State, "source": &f.Source, "tenant": &f.Tenant, "route": &f.Route, "event": &f.Event, "older": &f.Older,
		"newer": &f.Newer, "where": &f.Where, "before": &f.Before, "after": &f.After,
	}
}

// filterNames returns the names of the fields in queries.
func filterNames() []string {
	return append(slices.Sorted(maps.Keys(new(Filter).texts())), "limit")
}

// selects reports whether the filter says what is selected, and not only how much.
func (f Filter) selects() bool {
	f.Limit, f.Before, f.After = 0, "", ""
	return f != Filter{}
}

// errSelectsAll says that a filter is missing.
var errSelectsAll = errors.New("name events by their IDs, or what to select: state, source, tenant, route, event, older, newer, where")

// readFilter reads a filter by the names of its fields.
func readFilter(get func(name string) string) (f Filter, err error) {
	for name, text := range f.texts() {
		*text = get(name)
	}
	if limit := get("limit"); limit != "" {
		if f.Limit, err = strconv.Atoi(limit); err != nil || f.Limit < 1 {
			return f, InvalidError{fmt.Errorf("limit %q is not a number from 1 on", limit)}
		}
	}
	return f, nil
}

// query writes the filter as readFilter reads it.
func (f *Filter) query() url.Values {
	query := url.Values{}
	for name, text := range f.texts() {
		setOptional(query, name, *text)
	}
	if f.Limit > 0 {
		query.Set("limit", strconv.Itoa(f.Limit))
	}
	return query
}

// selection is a filter whose texts are understood.
type selection struct {
	Filter
	older, newer  time.Time
	where         *rules.Rule
	before, after queue.ID
}

// selection understands the filter.
func (f Filter) selection() (*selection, error) {
	s := &selection{Filter: f}
	if f.State != "" && !slices.Contains(states, f.State) {
		return nil, InvalidError{fmt.Errorf("unknown state %q: want one of %v", f.State, states)}
	}
	var err error
	if s.older, err = parseMoment(f.Older); err != nil {
		return nil, InvalidError{err}
	}
	if s.newer, err = parseMoment(f.Newer); err != nil {
		return nil, InvalidError{err}
	}
	if f.Before != "" {
		if s.before, err = parseID(f.Before); err != nil {
			return nil, InvalidError{fmt.Errorf("before: %v", err)}
		}
	}
	if f.After != "" {
		if s.after, err = parseID(f.After); err != nil {
			return nil, InvalidError{fmt.Errorf("after: %v", err)}
		}
	}
	if f.Where != "" {
		if s.where, err = rules.Compile(f.Where); err != nil {
			return nil, InvalidError{fmt.Errorf("where: %v", err)}
		}
	}
	return s, nil
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
	if at, err := time.ParseInLocation(time.DateTime, text, time.Local); err == nil { // as tables have it
		return at, nil
	}
	ago, err := caddy.ParseDuration(text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is neither a time such as 2026-01-02T15:04:05Z, or 2026-01-02 15:04:05 in local time, nor a duration such as 2h", text)
	}
	return queue.Now().Add(-ago), nil
}

// scan yields the selected events, newest first below Before, or oldest first
// above After, until yield returns false. With Where, events come with their
// requests. next is where a later scan goes on, zero if there is nothing more.
func (s *selection) scan(ctx context.Context, engine *queue.Engine, oldestFirst bool, yield func(*queue.Event) bool) (next queue.ID, err error) {
	walk, from := engine.List, s.before
	if oldestFirst {
		walk, from = engine.Ascend, s.after
	}
	var failed error
	err = walk(ctx, from, func(e *queue.Event) bool {
		if !oldestFirst && s.passed(e) {
			return false
		}
		if !s.matches(engine, e) {
			return true
		}
		if s.where != nil {
			switch e, failed = s.whole(ctx, engine, e); {
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

// matches reports whether an event is selected, Where apart.
func (s *selection) matches(engine *queue.Engine, e *queue.Event) bool {
	if s.Source != "" && e.Source != s.Source || s.Tenant != "" && e.Tenant != s.Tenant || s.Event != "" && e.Type != s.Event ||
		!s.older.IsZero() && !e.ReceivedAt.Before(s.older) || !s.newer.IsZero() && !e.ReceivedAt.After(s.newer) {
		return false
	}
	state := s.State
	if slices.Contains(eventStates, state) {
		if state != string(e.State) {
			return false
		}
		state = ""
	}
	return s.Route == "" && state == "" || slices.ContainsFunc(e.Deliveries, func(d queue.Delivery) bool {
		return (s.Route == "" || s.Route == d.Route) && (state == "" || state == string(engine.State(e, &d)))
	})
}

// whole loads an event with its request if Where holds for the event, else nil.
// An expression that fails does not hold.
func (s *selection) whole(ctx context.Context, engine *queue.Engine, e *queue.Event) (*queue.Event, error) {
	e, err := engine.Get(ctx, e.ID)
	switch {
	case errors.Is(err, queue.ErrUnavailable), errors.Is(err, queue.ErrClosed), ctx.Err() != nil:
		return nil, err
	case err != nil: // the event has gone, or it is damaged and was set aside
		return nil, nil
	}
	view := module.StoredView(e)
	defer view.Free()
	if holds, _ := s.where.Match(view); !holds {
		return nil, nil
	}
	return e, nil
}

// passed reports whether neither an event nor any older one can match. Events
// are in the order of their IDs, and received before they got one.
func (s *selection) passed(e *queue.Event) bool {
	return !s.newer.IsZero() && timeOf(e.ID).Before(s.newer) ||
		s.after != (queue.ID{}) && slices.Compare(e.ID[:], s.after[:]) <= 0
}

// timeOf returns the end of the millisecond in which an event got its ID.
func timeOf(id queue.ID) time.Time {
	return time.Unix(id.Time().UnixTime()).Add(time.Millisecond)
}

// filterFlags adds the flags that select events.
func filterFlags(cmd *cobra.Command) {
	cmd.Flags().String("state", "", "Only events in this `state`, or with a delivery in it: "+strings.Join(states, ", "))
	cmd.Flags().String("source", "", "Only events of this `source`")
	cmd.Flags().String("tenant", "", "Only events of this `tenant` of a source")
	cmd.Flags().String("route", "", "Only events with a delivery to this `route`")
	cmd.Flags().String("event", "", "Only events of this `type`")
	cmd.Flags().String("older", "", "Only events received before this `time`, or longer ago than this duration")
	cmd.Flags().String("newer", "", "Only events received after this `time`, or within this duration")
	cmd.Flags().String("where", "", "Only events for which this `expression` is true, with the names that rules have")
	cmd.Flags().String("limit", "", "At most this `number`")
}

// filter reads the flags that select events. Wrong flags are errors before the
// gateway is asked.
func (r *remote) filter() (Filter, error) {
	f, err := readFilter(func(name string) string {
		if flag := r.Flag(name); flag != nil {
			return flag.Value.String()
		}
		return ""
	})
	if err == nil {
		_, err = f.selection()
	}
	if err != nil {
		return f, usageError{err}
	}
	return f, nil
}
