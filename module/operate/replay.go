package operate

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/spf13/cobra"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// Destination says where a replay sends events, instead of where they went.
type Destination struct {
	To      string // this route
	Reroute bool   // the routes that take the event by the rules of today
}

// ReplayEvent sends an event again: what of it has not been delivered or, if
// there is a route, the delivery to that, delivered or not.
func (s *Service) ReplayEvent(ctx context.Context, id, route string, to Destination, dryRun bool) (*Done, error) {
	b, err := s.newReplay(to, func(d *queue.Delivery, state queue.DeliveryState) bool {
		return d.Route == route || route == "" && (to.To != "" || state != queue.Delivered)
	})
	if err != nil {
		return nil, err
	}
	return s.bulkEvent(ctx, b, id, route, dryRun)
}

// ReplaySelected does a step of a replay: of the deliveries that a filter
// selects, which are dead ones unless it names a state.
func (s *Service) ReplaySelected(ctx context.Context, f Filter, to Destination, dryRun bool) (*Done, error) {
	if !f.selects() {
		return nil, InvalidError{errSelectsAll}
	}
	f.State = cmp.Or(f.State, string(queue.Dead))
	want := queue.DeliveryState(f.State)
	if slices.Contains(eventStates, f.State) {
		want = queue.Dead
	}
	b, err := s.newReplay(to, func(d *queue.Delivery, state queue.DeliveryState) bool {
		return state == want && (f.Route == "" || f.Route == d.Route)
	})
	if err != nil {
		return nil, err
	}
	if err := s.checkTarget(f.Source, to.To); err != nil {
		return nil, err
	}
	return s.bulkSelected(ctx, b, f, dryRun)
}

// newReplay makes a replay of the deliveries that pick chooses.
func (s *Service) newReplay(to Destination, pick func(*queue.Delivery, queue.DeliveryState) bool) (*bulk, error) {
	if to.To != "" && to.Reroute {
		return nil, InvalidError{errors.New("to and reroute exclude each other")}
	}
	return &bulk{verb: "replay", idle: "nothing of it is to be sent again; name a route to send what was delivered",
		operation: func(ctx context.Context, engine *queue.Engine, e *queue.Event) (queue.Operation, error) {
			h := s.app.Source(e.Source)
			routes, err := to.routes(ctx, engine, h, e)
			if err != nil {
				return nil, err
			}
			keys, err := orderKeys(ctx, engine, h, e, routes)
			return queue.Replay{Pick: pick, To: routes, Keys: keys}, err
		}}, nil
}

// routes returns the routes that an event is to be sent to, nil for those that it
// has. The source of the event is nil if it is not in the configuration.
func (to *Destination) routes(ctx context.Context, engine *queue.Engine, h *module.Handler, e *queue.Event) ([]string, error) {
	switch {
	case to.To == "" && !to.Reroute && e.State == queue.Routed || e.State == queue.Held:
		return nil, nil
	case h == nil:
		return nil, queue.Left("its source is not in the configuration")
	case to.To != "" && h.RouteNamed(to.To) == nil:
		return nil, queue.Left("its source has no route " + to.To)
	case to.To != "":
		return []string{to.To}, nil
	}
	if err := loadRequest(ctx, engine, e); err != nil {
		return nil, err
	}
	return append([]string{}, h.RouteEvent(e)...), nil
}

// orderKeys returns what an event is ordered by on its way to those of the routes
// that keep an order.
func orderKeys(ctx context.Context, engine *queue.Engine, h *module.Handler, e *queue.Event, routes []string) (map[string]string, error) {
	keys := make(map[string]string)
	for _, name := range routes {
		r := h.RouteNamed(name)
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

func replayEvent(s *Service, r *http.Request) (any, error) {
	query := r.URL.Query()
	to, dryRun, err := readReplay(query)
	if err != nil {
		return nil, err
	}
	return s.ReplayEvent(r.Context(), r.PathValue("id"), query.Get("route"), to, dryRun)
}

func replaySelected(s *Service, r *http.Request) (any, error) {
	query := r.URL.Query()
	f, err := readFilter(query.Get)
	if err != nil {
		return nil, err
	}
	to, dryRun, err := readReplay(query)
	if err != nil {
		return nil, err
	}
	return s.ReplaySelected(r.Context(), f, to, dryRun)
}

// readReplay reads where a replay goes, and whether it is only tried.
func readReplay(query url.Values) (to Destination, dryRun bool, err error) {
	to.To = query.Get("to")
	if to.Reroute, err = readFlag(query, "reroute"); err != nil {
		return to, false, err
	}
	dryRun, err = readFlag(query, "dry_run")
	return to, dryRun, err
}

// query writes the destination as readReplay reads it.
func (to *Destination) query() url.Values {
	query := url.Values{}
	setOptional(query, "to", to.To)
	setFlag(query, "reroute", to.Reroute)
	return query
}

func (c *client) replayEvent(id, route string, to Destination, dryRun bool) (*Done, error) {
	return c.bulkEvent("replay", id, route, to.query(), dryRun)
}

func (c *client) replaySelected(f Filter, to Destination, dryRun bool) (*Done, error) {
	return c.bulkSelected(replayPath, f, to.query(), dryRun)
}

func replayCommand() *cobra.Command {
	var to Destination
	cmd := newBulkCommand("replay", "sends %s again", "Delivers events again",
		`Delivers events again: those whose IDs you give, or all that the filters select.

  caddy webhook replay <id>                          # its deliveries that were not delivered
  caddy webhook replay <id> --route app              # that delivery, delivered or not
  caddy webhook replay --state dead --source stripe  # the dead letters of a source
  caddy webhook replay --state parked --route old --to new
  caddy webhook replay --state unrouted --reroute --yes
  caddy webhook replay --state delivered --route app --newer 2h

The filters select deliveries in the state that --state names; without --state
they select dead letters. The command says how many there are and asks you,
unless you give --yes. --dry-run only counts.

A delivery goes to its own route again. --to sends the event to another route
instead, and --reroute to the routes that take it by today's rules. In both cases
a delivery that was not delivered makes room for the new ones. Unrouted and
uncertain events go through today's rules, or to the route that --to names.

A replayed delivery joins the end of the queue, the oldest event first. A pending
delivery becomes due at once. An event with a running attempt stays as it is. A
replay is never taken for a copy, and "caddy webhook show" tells of it.`,
		func(c *client, id, route string, dryRun bool) (*Done, error) {
			return c.replayEvent(id, route, to, dryRun)
		},
		func(c *client, f Filter, dryRun bool) (*Done, error) {
			return c.replaySelected(f, to, dryRun)
		})
	cmd.Flags().StringVar(&to.To, "to", "", "Send to this `route` instead")
	cmd.Flags().BoolVar(&to.Reroute, "reroute", false, "Send to the routes that take the event by today's rules")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if to.To != "" && to.Reroute {
			return exit(cmd, usageError{errors.New("--to and --reroute exclude each other")})
		}
		return nil
	}
	return cmd
}
