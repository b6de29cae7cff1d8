package operate

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// DeadLetter is a dead delivery as the admin API lists it.
type DeadLetter struct {
	ID         string    `json:"id"` // of the event
	Source     string    `json:"source"`
	Tenant     string    `json:"tenant,omitempty"`
	Route      string    `json:"route"`
	Type       string    `json:"event"`
	ReceivedAt time.Time `json:"received_at"`
	Ended      time.Time `json:"ended"`
	Attempts   int       `json:"attempts"`
	Status     int       `json:"status,omitempty"`
	Reason     string    `json:"reason"`
	Replays    int       `json:"replays,omitempty"`
}

// DeadLetters lists the dead deliveries of the events that a filter selects.
// next is what the next page begins before, "" for the last page.
func (s *Service) DeadLetters(ctx context.Context, f Filter, each func(*DeadLetter) error) (next string, err error) {
	if f.State == "" {
		f.State = string(queue.Dead)
	}
	return s.page(ctx, f, func(_ *queue.Engine, e *queue.Event) (n int, err error) {
		for i := range e.Deliveries {
			d := &e.Deliveries[i]
			if d.State != queue.Dead || f.Route != "" && f.Route != d.Route {
				continue
			}
			n++
			if err := each(&DeadLetter{
				ID: e.ID.String(), Source: e.Source, Tenant: e.Tenant, Route: d.Route, Type: s.app.Mask(e.Type), ReceivedAt: e.ReceivedAt,
				Ended: d.Ended, Attempts: d.Attempts, Status: d.Status, Reason: s.app.Mask(d.Reason), Replays: d.Replays,
			}); err != nil {
				return n, err
			}
		}
		return n, nil
	})
}

var listDeadLetters = listing("dead_letters", (*Service).DeadLetters)

func (c *client) deadLetters(f Filter, each func(*DeadLetter) error) (next string, err error) {
	return readList(c, deadPath, f.query(), each)
}

func deadCommand() *cobra.Command {
	cmd := remoteCommand("dead", "Lists dead letters",
		`Lists dead letters, newest event first, a page at a time. A dead letter is a
delivery that the gateway does not try again by itself. The gateway keeps it for
retain_dead.

  caddy webhook dead
  caddy webhook dead --source stripe --newer 24h

To send dead letters again:

  caddy webhook replay --state dead --source stripe --newer 24h

To let the deliveries go on that wait behind a dead letter (order_by with hold):

  caddy webhook drop --state dead --route app`, 0, 0,
		func(c *client, r *remote, _ []string) error {
			f, err := r.filter()
			if err != nil {
				return err
			}
			if r.json {
				return c.copyList(r.OutOrStdout(), deadPath, f.query())
			}
			t, err := c.eventTable(r.OutOrStdout(), "EVENT", "ROUTE", "ATTEMPTS", "DEAD FOR", "REASON")
			if err != nil {
				return err
			}
			next, err := c.deadLetters(f, func(d *DeadLetter) error {
				return t.row(d.ID, d.ReceivedAt, d.Source, d.Tenant, d.Type, d.Route, fmt.Sprint(d.Attempts), age(d.Ended), d.Reason)
			})
			return r.endPage(t.table, next, err)
		})
	pageFlags(cmd)
	return cmd
}
