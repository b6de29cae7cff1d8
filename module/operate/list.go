package operate

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module"
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
func listOf(name string, a *module.App, r *http.Request, state string, rows func(*queue.Engine, *queue.Event, Filter) []any) (any, error) {
	filter, err := parseFilter(r.URL.Query())
	if err != nil {
		return nil, badRequest{err}
	}
	engine, err := a.Engine()
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

// pageFlags adds the flags of a list.
func pageFlags(cmd *cobra.Command) {
	filterFlags(cmd)
	cmd.Flags().Lookup("limit").Usage += fmt.Sprintf(" (default %d)", defaultLimit)
	cmd.Flags().String("before", "", "Where the page begins: the ID that the page before it named")
}

// endPage prints what is left of a table, and how to get to the next page.
func (r *remote) endPage(t *table, next string, err error) error {
	if flushed := t.Flush(); err == nil {
		err = flushed
	}
	if err == nil && next != "" {
		_, err = fmt.Fprintf(r.OutOrStdout(), "There may be more: --before %s\n", next)
	}
	return err
}
