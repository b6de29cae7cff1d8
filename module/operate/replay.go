package operate

import (
	"context"
	"errors"
	"net/url"
	"slices"

	"github.com/spf13/cobra"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// newReplay makes a replay. Of the events that a filter selects it means the
// deliveries that the filter names, dead ones unless it names a state; of an
// event that the caller named, what has not been delivered, or the route that
// the caller named.
func newReplay(a *module.App, query url.Values, filter *Filter) (*operation, error) {
	to, route, reroute := query.Get("to"), query.Get("route"), query.Get("reroute") != ""
	if to != "" && reroute {
		return nil, errors.New("to and reroute exclude each other")
	}
	pick := func(d *queue.Delivery, state queue.DeliveryState) bool {
		return d.Route == route || route == "" && (to != "" || state != queue.Delivered)
	}
	if filter != nil {
		if filter.State == "" {
			filter.State = string(queue.Dead)
		}
		want := queue.DeliveryState(filter.State)
		if slices.Contains(eventStates, filter.State) {
			want = queue.Dead
		}
		pick = func(d *queue.Delivery, state queue.DeliveryState) bool {
			return state == want && (route == "" || route == d.Route)
		}
	}
	op := &operation{name: "replay", idle: "nothing of it is to be sent again; name a route to send what was delivered: --route <name>"}
	op.on = func(ctx context.Context, engine *queue.Engine, e *queue.Event) (queue.Operation, error) {
		routes, err := destinations(ctx, a, engine, e, to, reroute)
		if err != nil {
			return nil, err
		}
		keys, err := orderKeys(ctx, a, engine, e, routes)
		return queue.Replay{Pick: pick, To: routes, Keys: keys}, err
	}
	return op, nil
}

// destinations returns the routes that a replay is to send an event to, nil
// for those that it has.
func destinations(ctx context.Context, a *module.App, engine *queue.Engine, e *queue.Event, to string, reroute bool) ([]string, error) {
	if to == "" && !reroute && e.State == queue.Routed || e.State == queue.Held {
		return nil, nil
	}
	h := a.Source(e.Source)
	if h == nil {
		return nil, queue.Left("its source is not in the configuration")
	}
	if to != "" {
		if h.RouteNamed(to) == nil {
			return nil, queue.Left("its source has no route " + to)
		}
		return []string{to}, nil
	}
	if err := loadRequest(ctx, engine, e); err != nil {
		return nil, err
	}
	return append([]string{}, h.RouteEvent(e)...), nil
}

// orderKeys returns what an event is ordered by on its way to those of the routes
// that keep an order.
func orderKeys(ctx context.Context, a *module.App, engine *queue.Engine, e *queue.Event, routes []string) (map[string]string, error) {
	keys := make(map[string]string)
	for _, name := range routes {
		r := a.Source(e.Source).RouteNamed(name)
		if r == nil || r.Order == nil {
			continue
		}
		if err := loadRequest(ctx, engine, e); err != nil {
			return nil, err
		}
		keys[name] = r.Key(e)
	}
	return keys, nil
}

// loadRequest loads the request of an event that comes without it.
func loadRequest(ctx context.Context, engine *queue.Engine, e *queue.Event) error {
	if e.Request != nil {
		return nil
	}
	whole, err := engine.Get(ctx, e.ID)
	if err != nil {
		return err
	}
	e.Request = whole.Request
	return nil
}

func replayCommand() *cobra.Command {
	return operatorCommand("replay", "sends %s again", "Sends events again",
		`Sends events again: those whose IDs are given, or all that the filters select.

  caddy webhook replay <id>                          what of it was not delivered
  caddy webhook replay <id> --route app              that route, delivered or not
  caddy webhook replay --state dead --source stripe  the dead letters of a source
  caddy webhook replay --state parked --route old --to new
  caddy webhook replay --state unrouted --reroute --yes
  caddy webhook replay --state delivered --route app --newer 2h

Filters select the deliveries in the state that they name; without --state, dead
letters. It tells how many there are and asks, unless --yes is given.

Each goes to its own route again, to another one with --to, or with --reroute to
those that take it by the rules of today. In the last two cases a delivery that
was not delivered makes room for the new ones. Events that are unrouted or
uncertain go through the rules of today, or to the route that --to names.

Replayed deliveries join the end of the queue, the oldest event first. What is
pending becomes due at once. An event of which an attempt is running is left to
that. Recognizing copies has no say in it, and caddy webhook show tells that it
was replayed.`,
		func(cmd *cobra.Command) func() (url.Values, error) {
			to := cmd.Flags().String("to", "", "Send to this route instead")
			reroute := cmd.Flags().Bool("reroute", false, "Send to the routes that take it by the rules of today")
			return func() (url.Values, error) {
				if *to != "" && *reroute {
					return nil, errors.New("--to and --reroute exclude each other")
				}
				query := optional("to", *to)
				if *reroute {
					query.Set("reroute", "true")
				}
				return query, nil
			}
		})
}
