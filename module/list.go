package module

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// defaultLimit is the number of rows of a page that nobody gave a limit.
const defaultLimit = 50

// list is an answer that is written while it is read, for it may be long:
//
//	{"<name>": [...], "next": "<where the next page begins>"}
type list struct {
	name string
	rows func(yield func(any) error) (next queue.ID, err error)
}

// write writes the list. When reading fails half-way the answer breaks off.
func (l list) write(w io.Writer) error {
	begun := false
	begin := func() error {
		if begun {
			_, err := io.WriteString(w, ",\n")
			return err
		}
		begun = true
		_, err := fmt.Fprintf(w, "{%q:[", l.name)
		return err
	}
	next, err := l.rows(func(row any) error {
		encoded, err := json.Marshal(row)
		if err != nil {
			return err
		}
		if err := begin(); err != nil {
			return err
		}
		_, err = w.Write(encoded)
		return err
	})
	switch {
	case err != nil && begun:
		panic(http.ErrAbortHandler) // net/http's way to say it
	case err != nil:
		return err
	case !begun:
		if err := begin(); err != nil {
			return err
		}
	}
	end := "]}\n"
	if next != (queue.ID{}) {
		end = fmt.Sprintf("],\"next\":%q}\n", next)
	}
	_, err = io.WriteString(w, end)
	return err
}

// listOf makes a list of the events that a filter selects, with the rows that
// each of them has.
func listOf(name string, a *App, r *http.Request, state string, rows func(*queue.Engine, *queue.Event, Filter) []any) (any, error) {
	filter, err := parseFilter(r.URL.Query())
	if err != nil {
		return nil, badRequest{err}
	}
	engine, err := a.open()
	if err != nil {
		return nil, err
	}
	if filter.State == "" {
		filter.State = state
	}
	if filter.Limit == 0 {
		filter.Limit = defaultLimit
	}
	return list{name, func(yield func(any) error) (queue.ID, error) {
		var failed error
		n := 0
		next, err := filter.scan(r.Context(), engine, false, func(e *queue.Event) bool {
			for _, row := range rows(engine, e, filter) {
				n++
				if failed = yield(row); failed != nil {
					return false
				}
			}
			return n < filter.Limit
		})
		if err == nil {
			err = failed
		}
		return next, err
	}}, nil
}

func listEvents(a *App, r *http.Request) (any, error) {
	if ids := r.URL.Query()["id"]; len(ids) > 0 {
		return theseEvents(a, r, ids)
	}
	return listOf("events", a, r, "", func(engine *queue.Engine, e *queue.Event, _ Filter) []any {
		return []any{describe(engine, e)}
	})
}

// theseEvents lists events by their IDs, those that are there.
func theseEvents(a *App, r *http.Request, ids []string) (any, error) {
	engine, err := a.open()
	if err != nil {
		return nil, err
	}
	return list{"events", func(yield func(any) error) (none queue.ID, err error) {
		for _, text := range ids {
			id, err := parseID(text)
			if err != nil {
				return none, badRequest{err}
			}
			if e, err := engine.Get(r.Context(), id); err == nil {
				if err := yield(describe(engine, e)); err != nil {
					return none, err
				}
			}
		}
		return none, nil
	}}, nil
}

// DeadLetter is a dead delivery as the admin API lists it.
type DeadLetter struct {
	ID         string    `json:"id"` // of the event
	Source     string    `json:"source"`
	Route      string    `json:"route"`
	Type       string    `json:"event"`
	ReceivedAt time.Time `json:"received_at"`
	Ended      time.Time `json:"ended"`
	Attempts   int       `json:"attempts"`
	Status     int       `json:"status,omitempty"`
	Reason     string    `json:"reason"`
	Replays    int       `json:"replays,omitempty"`
}

// listDead lists the dead deliveries of the events that the filter selects.
func listDead(a *App, r *http.Request) (any, error) {
	return listOf("dead_letters", a, r, string(queue.Dead), func(_ *queue.Engine, e *queue.Event, f Filter) (rows []any) {
		for i := range e.Deliveries {
			if d := &e.Deliveries[i]; d.State == queue.Dead && (f.Route == "" || f.Route == d.Route) {
				rows = append(rows, DeadLetter{
					ID: e.ID.String(), Source: e.Source, Route: d.Route, Type: e.Type, ReceivedAt: e.ReceivedAt,
					Ended: d.Ended, Attempts: d.Attempts, Status: d.Status, Reason: d.Reason, Replays: d.Replays,
				})
			}
		}
		return rows
	})
}
