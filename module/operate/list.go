package operate

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// defaultLimit is the number of rows of a page that nobody gave a limit.
const defaultLimit = 50

// page reads a page of a list: the events that a filter selects, newest first,
// until there are as many rows as it may have. rows makes the rows of an event
// and returns how many there are. next is what the next page begins before, ""
// for the last one.
func (s *Service) page(ctx context.Context, f Filter, rows func(*queue.Engine, *queue.Event) (int, error)) (next string, err error) {
	selected, err := s.selection(f)
	if err != nil {
		return "", err
	}
	engine, err := s.app.Engine()
	if err != nil {
		return "", err
	}
	var failed error
	n, limit := 0, cmp.Or(f.Limit, defaultLimit)
	last, err := selected.scan(ctx, engine, false, func(e *queue.Event) bool {
		var more int
		more, failed = rows(engine, e)
		n += more
		return failed == nil && n < limit
	})
	if last != (queue.ID{}) {
		next = last.String()
	}
	return next, errors.Join(err, failed)
}

// list is an answer that is written while it is read, for it may be long:
//
//	{"<name>": [...], "next": "<where the next page begins>"}
type list struct {
	name string
	rows func(each func(row any) error) (next string, err error)
}

// listing makes the endpoint of a list that the service makes.
func listing[T any](name string, rows func(*Service, context.Context, Filter, func(*T) error) (next string, err error)) func(*Service, *http.Request) (any, error) {
	return func(s *Service, r *http.Request) (any, error) {
		f, err := readFilter(r.URL.Query().Get)
		if err != nil {
			return nil, err
		}
		return list{name, func(each func(any) error) (string, error) {
			return rows(s, r.Context(), f, func(row *T) error { return each(row) })
		}}, nil
	}
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
		panic(http.ErrAbortHandler) // tells net/http to break the answer off
	case err != nil:
		return err
	case !begun:
		if err := begin(); err != nil {
			return err
		}
	}
	end := "]}\n"
	if next != "" {
		end = fmt.Sprintf("],\"next\":%q}\n", next)
	}
	_, err = io.WriteString(w, end)
	return err
}

// pageFlags adds the flags of a list.
func pageFlags(cmd *cobra.Command) {
	filterFlags(cmd)
	cmd.Flags().Lookup("limit").Usage += fmt.Sprintf(" (default %d)", defaultLimit)
	cmd.Flags().String("before", "", "Begin the page before this `ID`, which the previous page named")
}

// endPage prints what is left of a table, and how to get to the next page.
func (r *remote) endPage(t *table, next string, err error) error {
	if err != nil {
		_ = t.Flush() // the rows that came before it
		return err
	}
	err = t.end()
	if err == nil && next != "" {
		_, err = fmt.Fprintf(r.OutOrStdout(), "There may be more: --before %s\n", next)
	}
	return err
}
