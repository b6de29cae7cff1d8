package module

import (
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// tableRows is after how many rows a table is printed, and its columns are
// measured anew.
const tableRows = 500

// table prints rows as they come.
type table struct {
	*tabwriter.Writer
	rows int
}

func newTable(w io.Writer, columns ...string) *table {
	t := &table{Writer: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	fmt.Fprintln(t, strings.Join(columns, "\t"))
	return t
}

// row adds a row. What a sender chose cannot break the table.
func (t *table) row(cells ...string) error {
	for i, cell := range cells {
		cells[i] = inCell(cell)
	}
	if _, err := fmt.Fprintln(t, strings.Join(cells, "\t")); err != nil {
		return err
	}
	if t.rows++; t.rows%tableRows == 0 {
		return t.Flush()
	}
	return nil
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

// pageFlags adds the flags of a list.
func pageFlags(cmd *cobra.Command) {
	filterFlags(cmd)
	cmd.Flags().Lookup("limit").Usage += fmt.Sprintf(" (default %d)", defaultLimit)
	cmd.Flags().String("before", "", "Where the page begins: the ID that the page before it named")
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

func eventsCommand() *cobra.Command {
	var follow bool
	cmd := remoteCommand("events", "Lists events, newest first",
		`Lists the events in the queue, newest first, a page at a time. All filters must
hold. A state is one of an event (routed, unrouted, held, uncertain) or of a
delivery; with --route it must be the state of that route's delivery.

  caddy webhook events --source stripe --state pending --older 1h
  caddy webhook events --where 'body.amount > 1000' --limit 10

--where takes an expression over the stored event, in the names that rules have;
where it fails the event is not listed. With --follow the list goes on: it prints
new events, and how their deliveries come along, until it is interrupted.`, 0, 0,
		func(c *client, r *remote, _ []string) error {
			query, err := r.filterQuery()
			switch {
			case err != nil:
				return err
			case follow:
				return newFollower(c, r, query).run()
			case r.json:
				return c.copyList(r.OutOrStdout(), eventsPath, query)
			}
			table := newTable(r.OutOrStdout(), "ID", "RECEIVED", "SOURCE", "EVENT", "STATE", "DELIVERIES")
			next, err := readList(c, eventsPath, query, func(e *EventInfo) error {
				return table.row(e.ID, local(e.ReceivedAt), e.Source, e.Type, e.State, e.deliveries())
			})
			return r.endPage(table, next, err)
		})
	pageFlags(cmd)
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "Go on with new events and what becomes of them")
	return cmd
}

// deliveries tells the states of an event's deliveries.
func (e *EventInfo) deliveries() string {
	states := make([]string, len(e.Deliveries))
	for i, d := range e.Deliveries {
		states[i] = d.Route + ":" + d.State
	}
	return strings.Join(states, " ")
}

func deadCommand() *cobra.Command {
	cmd := remoteCommand("dead", "Lists dead letters",
		`Lists dead letters, a row each: deliveries that will not be tried again by
themselves. They are kept for retain_dead. To send them again:

  caddy webhook replay <id>
  caddy webhook replay --state dead --source stripe --newer 24h`, 0, 0,
		func(c *client, r *remote, _ []string) error {
			const path = "/webhook_gateway/dead"
			query, err := r.filterQuery()
			if err != nil {
				return err
			}
			if r.json {
				return c.copyList(r.OutOrStdout(), path, query)
			}
			table := newTable(r.OutOrStdout(), "ID", "RECEIVED", "SOURCE", "EVENT", "ROUTE", "ATTEMPTS", "DEAD FOR", "REASON")
			next, err := readList(c, path, query, func(d *DeadLetter) error {
				return table.row(d.ID, local(d.ReceivedAt), d.Source, d.Type, d.Route, fmt.Sprint(d.Attempts), age(d.Ended), d.Reason)
			})
			return r.endPage(table, next, err)
		})
	pageFlags(cmd)
	return cmd
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

func local(at time.Time) string { return at.Local().Format(time.DateTime) }

// age tells how long ago something was, roughly.
func age(at time.Time) string {
	d := time.Since(at)
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d >= time.Minute:
		return strings.TrimSuffix(d.Truncate(time.Minute).String(), "0s")
	}
	return d.Truncate(time.Second).String()
}
