package operate

import (
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

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
func listDead(a *module.App, r *http.Request) (any, error) {
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

func deadCommand() *cobra.Command {
	cmd := remoteCommand("dead", "Lists dead letters",
		`Lists dead letters, a row each: deliveries that will not be tried again by
themselves. They are kept for retain_dead. To send them again:

  caddy webhook replay <id>
  caddy webhook replay --state dead --source stripe --newer 24h

To have those go on that a dead letter stops (order_by with hold):

  caddy webhook drop --state dead --route app`, 0, 0,
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
