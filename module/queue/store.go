package queue

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"
)

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

// Duplicate says that an event was not stored, because the store holds another event
// with the same dedup key.
type Duplicate struct {
	ID ID // of the other event
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
	// Append stores the events of one request with their deliveries and their dedup
	// entries: all of it or nothing. Several events of one request are of one source, and
	// each of them has a Part. Append returns without an error only after a crash or a
	// power cut can no longer undo that. Many appends may share one sync. Append sets
	// the Size of each event.
	//
	// The results stand in the order of the events: nil for an event that was stored, and
	// a Duplicate for an event whose dedup key the store holds already. No results say
	// that all events were stored. A store that one engine has for itself gives no
	// results: the engine asks its own memory before it appends.
	//
	// The events may come into sight a moment later, all at once: visible is called, once
	// and from any goroutine, when Claim and Undelivered take them into account; all
	// other methods do at once. visible must not call the store. It is called before an
	// Update of one of the events by whoever has claimed it. Until then the store may
	// keep the events, but not their requests, and the caller must not change them.
	// Without success visible is not called. An event whose ID is there already is not
	// stored.
	Append(ctx context.Context, events []*Event, visible func()) ([]*Duplicate, error)

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

// Located is a Backend whose store has a directory of its own.
type Located interface {
	// Dir returns the directory.
	Dir() string
}

// Exposer is a Backend that knows who gets at its files.
type Exposer interface {
	// Exposed says who else than the owner gets at the files, and what mends that; both
	// are "" if nobody does.
	Exposed() (problem, fix string)
}
