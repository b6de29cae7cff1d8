package operate

import (
	"context"
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// newDrop makes a drop of what waits, and of dead letters that stop others; of
// all dead letters if that state is named. Events that are held or uncertain
// must be named, or their state must be.
func newDrop(_ *module.App, query url.Values, filter *Filter) (*operation, error) {
	route, state := query.Get("route"), ""
	if filter != nil {
		state = filter.State
	}
	switch queue.DeliveryState(state) {
	case queue.Delivered, queue.DeliveryState(queue.Unrouted):
		return nil, fmt.Errorf("what is %s waits for nothing; dropped can be what is pending, parked, dead, held or uncertain", state)
	}
	pick := func(d *queue.Delivery, s queue.DeliveryState) bool {
		switch {
		case route != "" && route != d.Route:
			return false
		case state == "", state == string(queue.Routed):
			return s != queue.Dead || d.Holds
		}
		return state == string(s)
	}
	op := &operation{name: "drop", idle: "nothing of it waits"}
	op.on = func(_ context.Context, _ *queue.Engine, e *queue.Event) (queue.Operation, error) {
		unproven := e.State == queue.Held || e.State == queue.Uncertain
		if unproven && (route != "" || filter != nil && state != string(e.State)) {
			return nil, queue.LeftIdle
		}
		return queue.Drop{Pick: pick}, nil
	}
	return op, nil
}

func dropCommand() *cobra.Command {
	return operatorCommand("drop", "drops %s", "Gives up deliveries",
		`Gives up what waits: deliveries that are pending or parked become dead letters,
of the events whose IDs are given, or of all that the filters select. A dead
letter can be replayed as long as it is kept.

  caddy webhook drop <id> --route app
  caddy webhook drop --state parked --source old
  caddy webhook drop --state dead --route app
  caddy webhook drop --state uncertain --older 24h --yes

A dead letter that stops those behind it (order_by with hold) is dropped, too:
they go on. With --state dead all dead letters are. They stay dead letters, since
the time when they died, but "dropped by an operator" is their reason then.

Events that are held or uncertain are removed for good, if they are named or
their state is. An event of which an attempt is running is left to that. It tells
how many there are and asks, unless --yes is given.`,
		func(*cobra.Command) func() (url.Values, error) {
			return func() (url.Values, error) { return url.Values{}, nil }
		})
}
