package operate

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/google/uuid"
)

const (
	followPause    = 500 * time.Millisecond
	followPatience = 15 * time.Second // with a gateway that does not answer, because it is being reloaded say
	followBack     = time.Second      // events become visible later than their IDs say
	followFirst    = 10               // events that are shown at first
	followPage     = 500
	followPages    = 20   // that are read at once; of events that come faster, some are left out
	followWatched  = 1000 // the newest events that wait for something
	followAsked    = 100  // waiting events that are asked for at once
)

// follower shows new events and what becomes of them. It asks the gateway again
// and again: for events that are newer than those it knows, and for known events
// that wait for something.
type follower struct {
	*client
	*remote
	out    io.Writer
	filter Filter // without the state, which an event may come into later
	state  string
	first  string                // the newest event of the queue at the beginning
	newest string                // the newest event when the queue was last asked
	known  map[string]*EventInfo // events that were shown and may change, or may come again
	waits  []string              // known events that wait for something, the oldest first
	asked  int                   // index in waits where the next round goes on
}

func newFollower(c *client, r *remote, f Filter) *follower {
	return &follower{client: c, remote: r, out: r.OutOrStdout(), filter: f, state: f.State,
		known: make(map[string]*EventInfo)}
}

// run follows until it is interrupted.
func (f *follower) run() error {
	if f.filter.Older != "" || f.filter.Before != "" {
		return usageError{errors.New("--follow goes on with new events: --older and --before do not go with it")}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := f.begin(); err != nil {
		return err
	}
	for good := time.Now(); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followPause):
		}
		err := f.look()
		switch {
		case err == nil:
			good = time.Now()
		case time.Since(good) > followPatience:
			return err
		}
	}
}

// begin shows the newest events.
func (f *follower) begin() error {
	f.filter.Limit = cmp.Or(f.filter.Limit, followFirst)
	if err := f.findNewest(); err != nil {
		return err
	}
	f.first = f.newest
	events, _, err := f.page(f.filter)
	if err != nil {
		return err
	}
	f.filter.State, f.filter.Limit = "", followPage
	f.meet(events)
	return nil
}

// look shows what has changed since it last looked.
func (f *follower) look() error {
	after := f.newest
	if err := f.findNewest(); err != nil {
		return err
	}
	if f.newest != "" {
		fresh, err := f.newer(earlier(after))
		if err != nil {
			return err
		}
		f.meet(fresh)
	}
	if err := f.askWaiting(); err != nil {
		return err
	}
	f.forget()
	return nil
}

// findNewest finds the newest event of the queue.
func (f *follower) findNewest() error {
	events, _, err := f.page(Filter{Limit: 1})
	if err == nil && len(events) > 0 {
		f.newest = events[0].ID
	}
	return err
}

// page returns a page of events.
func (f *follower) page(filter Filter) (events []*EventInfo, next string, err error) {
	next, err = f.events(filter, collect(&events))
	return events, next, err
}

// collect returns a function that appends what it is given.
func collect[T any](to *[]T) func(T) error {
	return func(row T) error {
		*to = append(*to, row)
		return nil
	}
}

// newer returns the events above an ID that are not known, the newest first.
func (f *follower) newer(after string) (fresh []*EventInfo, err error) {
	filter := f.filter
	filter.After = after
	for range followPages {
		events, next, err := f.page(filter)
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			if _, known := f.known[e.ID]; !known && e.ID > f.first {
				fresh = append(fresh, e)
			}
		}
		if next == "" {
			return fresh, nil
		}
		filter.Before = next
	}
	fmt.Fprintln(f.ErrOrStderr(), "Events come faster than they can be shown; some are left out.")
	return fresh, nil
}

// earlier returns an ID that is a moment below another ID.
func earlier(text string) string {
	id, err := uuid.Parse(text)
	if err != nil {
		return ""
	}
	at := timeOf(id).Add(-followBack).UnixMilli()
	var below uuid.UUID
	for i := range 6 {
		below[i] = byte(at >> (8 * (5 - i)))
	}
	return below.String()
}

// meet shows events that are new to the follower, given with the newest first.
func (f *follower) meet(events []*EventInfo) {
	for _, e := range slices.Backward(events) {
		f.known[e.ID] = e
		if f.state == "" || f.state == e.State || e.hasDelivery(f.filter.Route, f.state) {
			f.show(e, e.ReceivedAt, e.State+" "+e.deliveries())
		}
		if e.waits() {
			f.waits = append(f.waits, e.ID)
		}
	}
	if n := len(f.waits); n > followWatched {
		f.waits = slices.Delete(f.waits, 0, n-followWatched)
	}
}

// askWaiting asks for some of the events that wait, and shows what has changed.
func (f *follower) askWaiting() error {
	if f.asked >= len(f.waits) {
		f.asked = 0
	}
	round := slices.Clone(f.waits[f.asked:min(f.asked+followAsked, len(f.waits))])
	if len(round) == 0 {
		return nil
	}
	f.asked += len(round)
	var events []*EventInfo
	if err := f.eventsByID(round, collect(&events)); err != nil {
		return err
	}
	waiting := make(map[string]bool)
	for _, e := range events {
		f.compare(f.known[e.ID], e)
		f.known[e.ID] = e
		waiting[e.ID] = e.waits()
	}
	before := len(f.waits)
	f.waits = slices.DeleteFunc(f.waits, func(id string) bool { return slices.Contains(round, id) && !waiting[id] })
	f.asked -= before - len(f.waits)
	return nil
}

// compare shows how an event differs from what was known of it.
func (f *follower) compare(old, e *EventInfo) {
	if old.State != e.State && (f.state == "" || f.state == e.State) {
		f.show(e, time.Now(), e.State+" "+e.deliveries())
		return
	}
	for _, d := range e.Deliveries {
		i := slices.IndexFunc(old.Deliveries, func(o DeliveryInfo) bool { return o.Route == d.Route })
		if i >= 0 && d.State == old.Deliveries[i].State && d.Attempts == old.Deliveries[i].Attempts && d.Replays == old.Deliveries[i].Replays {
			continue
		}
		route := f.filter.Route
		if (route == "" || route == d.Route) && (f.state == "" || f.state == d.State) {
			f.show(e, time.Now(), d.summary())
		}
	}
}

// show prints what happened to an event at a time.
func (f *follower) show(e *EventInfo, at time.Time, what string) {
	if f.json {
		_ = json.NewEncoder(f.out).Encode(e)
		return
	}
	source := e.Source
	if e.Tenant != "" {
		source += "  " + e.Tenant
	}
	fmt.Fprintf(f.out, "%s  %s  %s  %s  %s\n", at.Local().Format(time.DateTime), e.ID, source, inLine(e.Type), inLine(what))
}

// forget drops events that neither wait for something nor can be met again.
func (f *follower) forget() {
	if len(f.known) <= 2*followWatched {
		return
	}
	below := earlier(f.newest)
	for id := range f.known {
		if id < below && !slices.Contains(f.waits, id) {
			delete(f.known, id)
		}
	}
}

// waits reports whether something of the event is still to happen.
func (e *EventInfo) waits() bool {
	return e.State == "held" || slices.ContainsFunc(e.Deliveries, func(d DeliveryInfo) bool { return d.Ended == nil })
}
