// Package queue keeps accepted webhooks until their deliveries have ended.
//
// A [Store] keeps events; module/queue/disk is the embedded one. An [Engine] runs on a
// store: it admits events, remembers delivery IDs, and hands due deliveries to their
// destinations. Neither knows Caddy or HTTP.
package queue

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"
)

// ID names an event. IDs are UUIDs of version 7, so they sort in the order in
// which their events were accepted.
type ID = uuid.UUID

// Errors that a Store or an Engine answers with. All but ErrNotFound mean "not
// now": nothing was stored and the sender should try again.
var (
	// ErrNotFound says that no event has this ID.
	ErrNotFound = errors.New("event not found")
	// ErrFull says that the event would take more space than it may.
	ErrFull = errors.New("queue is full")
	// ErrUnavailable says that the store cannot be written to.
	ErrUnavailable = errors.New("queue store is unavailable")
	// ErrClosed says that the store was closed.
	ErrClosed = errors.New("queue is closed")
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
	Type       string
	DeliveryID string // the provider's, or a hash that takes its place
	ReceivedAt time.Time
	State      EventState
	Size       int64 // bytes that the request takes in the store
	Dedup      Dedup
	Check      Check // of a held event
	Deliveries []Delivery

	// Request is kept apart from the rest. It never changes, and it is not loaded
	// where events are listed or updated.
	Request *Request
}

// Request is the webhook as it arrived.
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
	Key   DedupKey
	Body  uint64    // hash of the body, to tell a conflict from a copy
	Until time.Time // when the window ends
}

// DedupKey is a hash of what identifies a delivery within its source.
type DedupKey [16]byte

// RouteKey names a route of a source, whose deliveries queue up for it. The empty route
// stands for the checks of the source's held events.
type RouteKey struct {
	Source, Route string
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

// Counter counts events of one kind, and the bytes that they take.
type Counter struct {
	Count, Bytes int64
}

// Usage is what a store holds, kept up to date with every commit.
type Usage struct {
	// Deliveries counts deliveries by route and stored state.
	Deliveries map[RouteKey]map[DeliveryState]int64
	// Events counts events by source and state.
	Events map[string]map[EventState]Counter
	// Total counts all events.
	Total Counter
	// Disk is how many bytes of the disk the store takes, 0 if it takes none.
	Disk int64
}

// Retention says how long events that wait for nothing are kept.
type Retention struct {
	Done, Failed time.Duration
	MaxBytes     int64 // above it Done events are evicted, oldest first; 0 = no limit
}

// Store keeps events. It also keeps deliveries in order: those to a route that have the
// same key form a FIFO, see [Delivery.InFIFO], in the order in which they joined it, by
// Append or by Update. A delivery keeps its place for as long as it is in the FIFO.
//
// A backend implements this interface and passes the suite
// of package queuetest. All methods may be called at the same time.
type Store interface {
	// Append stores the event with its deliveries and its dedup entry: all of
	// it or nothing. It returns nil only after a crash or a power cut can no
	// longer undo that. Many appends may share one sync. It sets e.Size.
	//
	// The event may come into sight a moment later: visible is called, once and
	// from any goroutine, when Claim and Undelivered take it into account; all
	// other methods do at once. visible must not call the store. It is called
	// before an Update of the event by whoever has claimed it. Until then the
	// store may keep e, but not its request, and the caller must not change it.
	// Without success visible is not called. An event whose ID is there already
	// is not stored.
	Append(ctx context.Context, e *Event, visible func()) error

	// Update changes a stored event: it is loaded without its request, given
	// to change, and stored again, in one transaction. It may call change more
	// than once, each time with the event as it was. An error from change
	// leaves the event as it was and is returned. Leases on routes that the
	// event no longer waits for, or waits for with another due time, end.
	// Clearing Event.Dedup removes the dedup entry.
	Update(ctx context.Context, id ID, change func(*Event) error) error

	// UpdateAll changes several events as Update does, in one transaction and in
	// the order of their IDs there. Those that are not there, and those for which
	// change returns an error, stay as they were; the others are changed, or none
	// is if UpdateAll returns an error.
	UpdateAll(ctx context.Context, ids []ID, change func(*Event) error) error

	// Remove deletes an event and its dedup entry.
	Remove(ctx context.Context, id ID) error

	// Get loads an event, with its request.
	Get(ctx context.Context, id ID) (*Event, error)

	// Claim leases up to limit events that are due in a route, earliest first,
	// loaded with their requests. Of a FIFO it takes only the first delivery into
	// account, which may be a dead letter. Nobody else gets a leased event before
	// the lease ends: by an Update as above, by Release, after its time, or when
	// the process that took it has gone. next is when the route's next event that
	// is not leased falls due; zero if there is none.
	Claim(ctx context.Context, route RouteKey, now time.Time, lease time.Duration, limit int) (claimed []*Event, next time.Time, err error)

	// Lease leases an event in a route as Claim does, whether it is in sight yet or
	// not. It returns false if somebody else has the lease. It does not look
	// whether the event waits for the route.
	Lease(route RouteKey, id ID, now time.Time, lease time.Duration) bool

	// Release ends a lease and leaves the event as it is.
	Release(route RouteKey, id ID)

	// List yields events without their requests, newest first, starting below
	// the ID before (the zero ID: at the newest), until yield returns false.
	// It holds no transaction open while yield runs.
	List(ctx context.Context, before ID, yield func(*Event) bool) error

	// Oldest returns the smallest ID of the events that wait for each route, for
	// their turn in a FIFO, too. It loads no events.
	Oldest(ctx context.Context) (map[RouteKey]ID, error)

	// Ascend is List the other way round: oldest first, starting above the ID
	// after.
	Ascend(ctx context.Context, after ID, yield func(*Event) bool) error

	// Remembered yields the dedup entries that have not ended at now, those
	// that end first coming first.
	Remembered(ctx context.Context, now time.Time, yield func(source string, id ID, d Dedup) bool) error

	// Expire deletes events that have been kept long enough, and dedup entries
	// whose window has ended. It works in short transactions.
	Expire(ctx context.Context, now time.Time, keep Retention) error

	// SetPaused remembers that a route is paused, or forgets it. It returns nil
	// only after a crash or a power cut can no longer undo that.
	SetPaused(ctx context.Context, route RouteKey, paused bool) error

	// Paused returns the routes that are paused, in no order.
	Paused() ([]RouteKey, error)

	// Usage returns what the store holds. The caller owns the result.
	Usage() Usage

	// Undelivered returns how many bytes the events that are not Done take, of
	// one source and of all. It is cheap enough to be asked for every event.
	Undelivered(source string) (ofSource, ofAll int64)

	// Close waits for what was begun and frees the store. Later calls return
	// ErrClosed.
	Close() error
}

// Backend is the configuration of a store. A guest module in the namespace
// webhook_gateway.queues implements it.
type Backend interface {
	// Key names the store. Configurations with equal keys share one store, and
	// it is opened once.
	Key() string

	// Open opens the store. It fails when that would be no use later either:
	// another process has it, or the place cannot exist. A disk that is full,
	// read-only or broken gives a store that answers ErrUnavailable until it
	// has managed to open its file.
	Open(logger *zap.Logger) (Store, error)

	// Apply gives an open store those settings that may change while it runs.
	Apply(Store)

	// MaxSize is how many bytes of undelivered events the store may hold.
	MaxSize() int64
}
