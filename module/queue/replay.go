package queue

import (
	"slices"
	"time"
)

// Replay says which deliveries of an event an operator sends again, and where to. They
// join the end of the queue; pending ones become due. Dedup windows have no say.
type Replay struct {
	// Pick chooses deliveries by their state as an operator sees it. It chooses
	// nothing of an event that has no deliveries, one that is unrouted or uncertain.
	Pick func(d *Delivery, state DeliveryState) bool

	// To are the routes that get the event in place of the routes of the chosen
	// deliveries. Chosen ones that were delivered stay beside the new ones. nil
	// stands for the routes of the chosen deliveries themselves.
	To []string

	// Keys are the event's keys for those routes of To that keep an order.
	Keys map[string]string
}

// apply replays the event, and returns the routes of the deliveries that it queued.
func (r Replay) apply(e *Event, state stateFunc, now time.Time) (routes []RouteKey, err error) {
	switch {
	case e.State == Held:
		return nil, LeftHeld
	case e.State != Routed || r.To != nil:
		return r.redirect(e, state, now)
	}
	left := LeftIdle
	for i := range e.Deliveries {
		d, s := &e.Deliveries[i], state(&e.Deliveries[i])
		switch {
		case !r.Pick(d, s):
		case s == Delivering:
			left = LeftBusy
		default:
			d.again(now)
			routes = append(routes, RouteKey{e.Source, d.Route})
		}
	}
	if routes == nil {
		return nil, left
	}
	return routes, nil
}

// redirect replays the event to the routes of r.To. Their deliveries take the place of
// the chosen ones that were not delivered.
func (r Replay) redirect(e *Event, state stateFunc, now time.Time) (routes []RouteKey, err error) {
	if len(r.To) == 0 {
		return nil, LeftUnrouted
	}
	var kept []Delivery
	var moved Delivery // the first delivery that is replaced
	chosen := make(map[string]bool)
	for i := range e.Deliveries {
		d, s := &e.Deliveries[i], state(&e.Deliveries[i])
		chosen[d.Route] = r.Pick(d, s)
		switch {
		case !chosen[d.Route], s == Delivered, slices.Contains(r.To, d.Route):
			kept = append(kept, *d)
		case s == Delivering:
			return nil, LeftBusy
		case moved.Route == "":
			moved = *d
		}
	}
	e.State, e.Deliveries = Routed, kept
	left := LeftIdle
	for _, route := range r.To {
		d := e.Delivery(route)
		switch {
		case d == nil:
			fresh := newDelivery(route, now)
			fresh.Key = r.Keys[route]
			fresh.Log, fresh.Replays, fresh.From = moved.Log, moved.Replays, moved.Route
			e.Deliveries = append(e.Deliveries, fresh)
			d = &e.Deliveries[len(e.Deliveries)-1]
		case state(d) == Delivering:
			left = LeftBusy
			continue
		case !chosen[route] && d.State != Dead:
			continue
		}
		d.again(now)
		routes = append(routes, RouteKey{e.Source, route})
	}
	if routes == nil {
		return nil, left
	}
	return routes, nil
}

// again queues a delivery once more for an operator. A pending one becomes due.
func (d *Delivery) again(now time.Time) {
	d.Replays++
	d.Replayed = now
	if d.State != Pending {
		d.State, d.Queued, d.Due, d.Ended, d.Attempts = Pending, now, now, time.Time{}, 0
		d.Holds = false // a dead letter that held its key keeps its place
	} else if d.Due.After(now) {
		d.Due = now
	}
}
