package operate

import (
	"net/http"

	"github.com/spf13/cobra"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

func listEvents(a *module.App, r *http.Request) (any, error) {
	if ids := r.URL.Query()["id"]; len(ids) > 0 {
		return theseEvents(a, r, ids)
	}
	return listOf("events", a, r, "", func(engine *queue.Engine, e *queue.Event, _ Filter) []any {
		return []any{describe(engine, e)}
	})
}

// theseEvents lists events by their IDs, those that are there.
func theseEvents(a *module.App, r *http.Request, ids []string) (any, error) {
	engine, err := a.Engine()
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
