package operate

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// EventInfo is an event as the admin API shows it.
type EventInfo struct {
	ID         string         `json:"id"`
	Source     string         `json:"source"`
	Provider   string         `json:"provider"`
	Tenant     string         `json:"tenant,omitempty"`
	Type       string         `json:"event"`
	DeliveryID string         `json:"delivery_id"`
	Part       *PartInfo      `json:"part,omitempty"`
	ReceivedAt time.Time      `json:"received_at"`
	State      string         `json:"state"`
	Bytes      int64          `json:"bytes"`
	Check      *CheckInfo     `json:"check,omitempty"`
	Copies     *CopiesInfo    `json:"copies,omitempty"`
	Deliveries []DeliveryInfo `json:"deliveries"`
	Request    *RequestInfo   `json:"request,omitempty"`
}

// PartInfo says which of the events of one request an event is.
type PartInfo struct {
	Number int `json:"number"`
	Of     int `json:"of"`
}

// CopiesInfo says how often an event came again, and when it did the last ten times.
type CopiesInfo struct {
	Count int         `json:"count"`
	Times []time.Time `json:"times"`
}

// CheckInfo says how the check of a held event stands.
type CheckInfo struct {
	Calls  int        `json:"calls"`
	Due    *time.Time `json:"due,omitempty"`
	Reason string     `json:"reason,omitempty"`
}

// DeliveryInfo is a delivery as the admin API shows it.
type DeliveryInfo struct {
	Route    string        `json:"route"`
	State    string        `json:"state"`
	Paused   bool          `json:"paused,omitempty"` // why it is parked; otherwise its route is gone
	Key      string        `json:"key,omitempty"`    // what it goes in order by
	Holds    bool          `json:"holds,omitempty"`  // dead, it stops those behind it
	Attempts int           `json:"attempts"`
	Status   int           `json:"status,omitempty"`
	Reason   string        `json:"reason,omitempty"`
	Due      *time.Time    `json:"due,omitempty"`
	Ended    *time.Time    `json:"ended,omitempty"`
	Replays  int           `json:"replays,omitempty"`
	Replayed *time.Time    `json:"replayed,omitempty"`
	From     string        `json:"from,omitempty"` // the route that it was on its way to before
	Log      []AttemptInfo `json:"log,omitempty"`
}

// AttemptInfo is an attempt as the admin API shows it.
type AttemptInfo struct {
	At      time.Time `json:"at"`
	Millis  float64   `json:"ms"`
	Outcome string    `json:"outcome"`
	Status  int       `json:"status,omitempty"`
	Error   string    `json:"error,omitempty"`
}

// RequestInfo is the request of an event, with secrets and proofs masked.
type RequestInfo struct {
	Method   string      `json:"method"`
	Host     string      `json:"host"`
	URI      string      `json:"uri"`
	ClientIP string      `json:"client_ip"`
	Header   http.Header `json:"headers"`
	Body     string      `json:"body,omitempty"`
	Binary   []byte      `json:"body_base64,omitempty"` // a body that is no text
}

// describe shows an event without its request.
func (s *Service) describe(engine *queue.Engine, e *queue.Event) *EventInfo {
	info := &EventInfo{
		ID: e.ID.String(), Source: e.Source, Provider: e.Provider, Tenant: e.Tenant, Type: s.app.Mask(e.Type), DeliveryID: s.app.Mask(e.DeliveryID),
		ReceivedAt: e.ReceivedAt, State: string(e.State), Bytes: e.Size, Deliveries: []DeliveryInfo{},
	}
	if e.Part.Of > 0 {
		info.Part = &PartInfo{e.Part.Number, e.Part.Of}
	}
	if e.State == queue.Held || e.State == queue.Uncertain {
		info.Check = &CheckInfo{Calls: e.Check.Calls, Reason: s.app.Mask(e.Check.Reason)}
		if e.State == queue.Held {
			info.Check.Due = &e.Check.Due
		}
	}
	if copies := engine.Copies(e); copies.Count > 0 {
		info.Copies = &CopiesInfo{Count: copies.Count, Times: copies.Last}
	}
	for i := range e.Deliveries {
		info.Deliveries = append(info.Deliveries, s.describeDelivery(engine, e, &e.Deliveries[i]))
	}
	return info
}

func (s *Service) describeDelivery(engine *queue.Engine, e *queue.Event, d *queue.Delivery) DeliveryInfo {
	info := DeliveryInfo{
		Route: d.Route, State: string(engine.State(e, d)), Attempts: d.Attempts, Status: d.Status,
		Reason: s.app.Mask(d.Reason), Replays: d.Replays, From: d.From, Key: s.app.Mask(d.Key), Holds: d.Holds,
	}
	info.Paused = info.State == string(queue.Parked) && engine.IsPaused(queue.RouteKey{Source: e.Source, Route: d.Route})
	if d.State == queue.Pending {
		info.Due = &d.Due
	} else {
		info.Ended = &d.Ended
	}
	if d.Replays > 0 {
		info.Replayed = &d.Replayed
	}
	for _, a := range d.Log {
		info.Log = append(info.Log, AttemptInfo{
			At: a.At, Millis: float64(a.Took.Microseconds()) / 1000, Outcome: string(a.Outcome), Status: a.Status, Error: s.app.Mask(a.Reason),
		})
	}
	return info
}

// typeInList is the event type with, of one of several events of a request, its number.
func (e *EventInfo) typeInList() string {
	if e.Part == nil {
		return e.Type
	}
	return fmt.Sprintf("%s %d/%d", e.Type, e.Part.Number, e.Part.Of)
}

// deliveries tells the states of an event's deliveries.
func (e *EventInfo) deliveries() string {
	states := make([]string, len(e.Deliveries))
	for i, d := range e.Deliveries {
		states[i] = d.Route + ":" + d.State
	}
	return strings.Join(states, " ")
}

// hasDelivery reports whether the event has a delivery to a route in a state;
// empty ones stand for any.
func (e *EventInfo) hasDelivery(route, state string) bool {
	return slices.ContainsFunc(e.Deliveries, func(d DeliveryInfo) bool {
		return (route == "" || d.Route == route) && (state == "" || d.State == state)
	})
}

// describeRequest shows the request of an event.
func (s *Service) describeRequest(e *queue.Event) *RequestInfo {
	r := module.Shown(e, s.app.Source(e.Source), s.app.Mask)
	info := &RequestInfo{Method: r.Method, Host: r.Host, URI: r.URI, ClientIP: r.ClientIP, Header: r.Header}
	if utf8.Valid(r.Body) {
		info.Body = string(r.Body)
	} else {
		info.Binary = r.Body
	}
	return info
}

func parseID(text string) (queue.ID, error) {
	id, err := uuid.Parse(text)
	if err != nil {
		return queue.ID{}, fmt.Errorf("%q is no event ID", text)
	}
	return id, nil
}
