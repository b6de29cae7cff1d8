package operate

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// DropEvent gives up what of an event waits, on its way to a route or, if route
// is empty, to any. An event that is held or uncertain is removed.
func (s *Service) DropEvent(ctx context.Context, id, route string, dryRun bool) (*Done, error) {
	return s.bulkEvent(ctx, newDrop(Filter{Route: route}, true), id, route, dryRun)
}

// DropSelected does a step of a drop: of what waits, and of dead letters that
// stop others; of all dead letters if the filter names that state. Events that
// are held or uncertain are removed if the filter names their state.
func (s *Service) DropSelected(ctx context.Context, f Filter, dryRun bool) (*Done, error) {
	if !f.selects() {
		return nil, InvalidError{errSelectsAll}
	}
	switch queue.DeliveryState(f.State) {
	case queue.Delivered, queue.DeliveryState(queue.Unrouted):
		return nil, InvalidError{fmt.Errorf("what is %s waits for nothing; dropped can be what is pending, parked, dead, held or uncertain", f.State)}
	}
	return s.bulkSelected(ctx, newDrop(f, false), f, dryRun)
}

// newDrop makes a drop of the deliveries that a filter selects. Unproven events
// are removed if the caller names the event, or their state.
func newDrop(f Filter, named bool) *bulk {
	pick := func(d *queue.Delivery, state queue.DeliveryState) bool {
		switch {
		case f.Route != "" && f.Route != d.Route:
			return false
		case f.State == "", f.State == string(queue.Routed):
			return state != queue.Dead || d.Holds
		}
		return f.State == string(state)
	}
	return &bulk{verb: "drop", idle: "nothing of it waits",
		operation: func(_ context.Context, _ *queue.Engine, e *queue.Event) (queue.Operation, error) {
			unproven := e.State == queue.Held || e.State == queue.Uncertain
			if unproven && (f.Route != "" || !named && f.State != string(e.State)) {
				return nil, queue.LeftIdle
			}
			return queue.Drop{Pick: pick}, nil
		}}
}

func dropEvent(s *Service, r *http.Request) (any, error) {
	query := r.URL.Query()
	dryRun, err := readFlag(query, "dry_run")
	if err != nil {
		return nil, err
	}
	return s.DropEvent(r.Context(), r.PathValue("id"), query.Get("route"), dryRun)
}

func dropSelected(s *Service, r *http.Request) (any, error) {
	query := r.URL.Query()
	f, err := readFilter(query.Get)
	if err != nil {
		return nil, err
	}
	dryRun, err := readFlag(query, "dry_run")
	if err != nil {
		return nil, err
	}
	return s.DropSelected(r.Context(), f, dryRun)
}

func (c *client) dropEvent(id, route string, dryRun bool) (*Done, error) {
	return c.bulkEvent("drop", id, route, url.Values{}, dryRun)
}

func (c *client) dropSelected(f Filter, dryRun bool) (*Done, error) {
	return c.bulkSelected(dropPath, f, url.Values{}, dryRun)
}

func dropCommand() *cobra.Command {
	return newBulkCommand("drop", "drops %s", "Gives up deliveries that wait",
		`Gives up deliveries that wait: those of the events whose IDs you give, or of all
events that the filters select. Pending and parked deliveries become dead
letters. A later replay of dead letters sends them all the same.

  caddy webhook drop <id> --route app
  caddy webhook drop --state parked --source old
  caddy webhook drop --state dead --route app
  caddy webhook drop --state uncertain --older 24h --yes

A dead letter that stops the deliveries behind it (order_by with hold) is dropped,
too, and they go on. --state dead drops all dead letters: they stay dead letters,
keep the time of their death, and get the reason "dropped by an operator".

Held and uncertain events are removed for good if you give their IDs or name
their state. An event with a running attempt stays as it is. The command says how
many deliveries there are and asks you, unless you give --yes. --dry-run only
counts.`,
		(*client).dropEvent, (*client).dropSelected)
}
