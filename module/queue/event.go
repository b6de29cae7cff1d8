package queue

import (
	"slices"
	"time"
)

// newDelivery returns a delivery that joins the queue now.
func newDelivery(route string, now time.Time) Delivery {
	return Delivery{Route: route, State: Pending, Queued: now, Due: now}
}

// requeue has a delivery that has ended join the queue again.
func (d *Delivery) requeue(now time.Time) {
	log, key := d.Log, d.Key
	*d = newDelivery(d.Route, now)
	d.Log, d.Key = log, key
}

// maxLog is how many attempts a delivery remembers.
const maxLog = 10

// note adds an attempt to the delivery's log. It makes a new slice: a store may need the
// old one, to change the event once more.
func (d *Delivery) note(a Attempt) {
	d.Log = append(slices.Clone(d.Log[max(0, len(d.Log)+1-maxLog):]), a)
}

// SetRoutes gives the event a delivery to each of the routes, due now. Without routes
// the event is unrouted.
func (e *Event) SetRoutes(routes []string, now time.Time) {
	e.State, e.Deliveries = Unrouted, nil
	if len(routes) == 0 {
		return
	}
	e.State, e.Deliveries = Routed, make([]Delivery, len(routes))
	for i, route := range routes {
		e.Deliveries[i] = newDelivery(route, now)
	}
}

// keys returns the keys of an event's deliveries to those routes that keep an order.
func (s *Source) keys(e *Event, routes []string) map[string]string {
	var keys map[string]string
	for _, name := range routes {
		if r := s.Routes[name]; r != nil && r.Key != nil {
			if keys == nil {
				keys = make(map[string]string)
			}
			keys[name] = r.Key(e)
		}
	}
	return keys
}

// makeUncertain makes a held event uncertain.
func (e *Event) makeUncertain(reason string, now time.Time) {
	e.State = Uncertain
	e.Check.Ended, e.Check.Reason = now, reason
}

// hasDeadLetter reports whether a delivery of the event is dead.
func (e *Event) hasDeadLetter() bool {
	for i := range e.Deliveries {
		if e.Deliveries[i].State == Dead {
			return true
		}
	}
	return false
}
