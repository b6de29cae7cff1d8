package queue

import (
	"slices"
	"time"
)

// EventState says what became of an event as a whole.
type EventState string

const (
	// Routed events have deliveries.
	Routed EventState = "routed"
	// Unrouted events were taken by no route.
	Unrouted EventState = "unrouted"
	// Held events wait for the outcome of a call that checks their proof.
	Held EventState = "held"
	// Uncertain events may have used up a one-time proof in a call whose
	// outcome is unknown. An operator decides about them.
	Uncertain EventState = "uncertain"
)

// DeliveryState says how far a delivery has come.
type DeliveryState string

const (
	// Pending deliveries wait for their time.
	Pending DeliveryState = "pending"
	// Delivered deliveries were answered with success.
	Delivered DeliveryState = "delivered"
	// Dead deliveries are tried again only if somebody has them tried again.
	Dead DeliveryState = "dead"

	// Delivering and Parked are never stored. A pending delivery is delivering
	// while an attempt runs, and parked while no configuration names its route
	// or the route is paused.
	Delivering DeliveryState = "delivering"
	Parked     DeliveryState = "parked"
)

// Event is one accepted webhook and what is known about its deliveries.
type Event struct {
	ID         ID
	Source     string
	Provider   string
	Tenant     string // whose webhook it is, where a source has tenants
	Type       string
	DeliveryID string // the provider's, or a hash that takes its place
	Part       Part   // of a request that carried several events
	ReceivedAt time.Time
	State      EventState
	Size       int64 // bytes that the request takes in the store
	Dedup      Dedup
	Copies     Copies // without those that only the engine knows of, see [Engine.Copies]
	Check      Check  // of a held event
	Deliveries []Delivery

	// Request is kept apart from the rest. It never changes, and it is not loaded
	// where events are listed or updated.
	Request *Request
}

// Part says which of the events of one request an event is: the first one has the number
// 1. The zero Part stands for an event that is all of its request.
type Part struct {
	Number, Of int

	// Start and End say where the event's own content stands in its body. Around it is
	// what the sender puts around the content of all events. Encoded says that the content
	// is encoded there as a value of a form.
	Start, End int
	Encoded    bool
}

// Request is the webhook as it arrived. That of a part has the part's own body.
type Request struct {
	Method     string
	Host       string
	URI        string // path and query, without a token of the gateway's own
	Proto      string
	RemoteAddr string // the peer, as host:port
	ClientIP   string // what Caddy took for the client
	TLS        bool
	Header     map[string][]string
	Body       []byte
	Secret     []string // headers that are never to be shown
	PublicURL  string   // what the provider called, where its proof covers that
}

// Delivery is one event on its way to one route.
type Delivery struct {
	Route    string
	State    DeliveryState
	Queued   time.Time // when the delivery joined the queue: at acceptance, revival or replay
	Due      time.Time // when a pending delivery may be tried
	Ended    time.Time // when the delivery was delivered or died
	Attempts int       // tries that count
	Status   int       // HTTP status of the last try, 0 when nothing answered
	Reason   string    // why the last try failed
	Log      []Attempt // the last tries, oldest first, those before a revival included

	// Key puts deliveries in order: of those to a route that have the same key, only
	// the first one is handed out until it ends. Without a key there is no order.
	Key string
	// Holds says that this delivery, though dead, holds its key: later deliveries
	// with the key wait.
	Holds bool

	Replays  int       // how often an operator sent it again
	Replayed time.Time // when that was last
	From     string    // the route that the event was on its way to before a replay
}

// Attempt is what came of one try of a delivery.
type Attempt struct {
	At      time.Time
	Took    time.Duration
	Status  int    // HTTP status, 0 when nothing answered
	Reason  string // why the try did not succeed
	Outcome Outcome
}

// Check is how far the check of a held event has come.
type Check struct {
	Due   time.Time
	Calls int // calls made so far
	// Sent says that a call may have reached the provider, and its outcome is not
	// known. Sent is stored before the call is made.
	Sent   bool
	Ended  time.Time // when an uncertain event was given up on
	Reason string
}

// Dedup is an event's entry in the dedup window of its source. The zero value is no
// entry.
type Dedup struct {
	Identity
	Until time.Time // when the window ends
}

// Copies is what is known of the requests that were copies of an event.
type Copies struct {
	Count int
	Last  []time.Time // when the last ones came, oldest first
}

// Waiting yields each route that the event waits for, and when the event is due there.
func (e *Event) Waiting(yield func(RouteKey, time.Time) bool) {
	if e.State == Held && !yield(RouteKey{Source: e.Source}, e.Check.Due) {
		return
	}
	for i := range e.Deliveries {
		d := &e.Deliveries[i]
		if d.State == Pending && !yield(RouteKey{e.Source, d.Route}, d.Due) {
			return
		}
	}
}

// InFIFO reports whether later deliveries with the same key wait for this one: it is
// pending, or a dead letter that holds the key.
func (d *Delivery) InFIFO() bool {
	return d.Key != "" && (d.State == Pending || d.State == Dead && d.Holds)
}

// Delivery returns the delivery to a route, or nil.
func (e *Event) Delivery(route string) *Delivery {
	for i := range e.Deliveries {
		if e.Deliveries[i].Route == route {
			return &e.Deliveries[i]
		}
	}
	return nil
}

// Class groups events by how long they are kept.
type Class uint8

const (
	// Live events wait for something and are kept.
	Live Class = iota
	// Done events were delivered everywhere.
	Done
	// Failed events need an operator: unrouted, uncertain, or with a dead delivery.
	Failed
)

// Class returns the class of the event, and since when the event has been in it. The
// time means nothing for live events.
func (e *Event) Class() (Class, time.Time) {
	switch e.State {
	case Held:
		return Live, time.Time{}
	case Unrouted:
		return Failed, e.ReceivedAt
	case Uncertain:
		return Failed, e.Check.Ended
	}
	class, since := Done, e.ReceivedAt
	for i := range e.Deliveries {
		switch d := &e.Deliveries[i]; {
		case d.State == Pending:
			return Live, time.Time{}
		case d.State == Dead && class == Done:
			class, since = Failed, d.Ended
		case (d.State == Dead) == (class == Failed) && d.Ended.After(since):
			since = d.Ended
		}
	}
	return class, since
}

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
