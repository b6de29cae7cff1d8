package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Engine runs on a store: it admits events, remembers delivery IDs, hands due deliveries
// to their destinations, and deletes what has been kept long enough. Configurations are
// attached to and detached from an engine while its store stays open. All methods may
// be called at the same time.
//
//	Enter -> Append | Hold -> Keep             the request
//	            |       |
//	           store   Check -> Route
//	            |       |
//	     routeQueue -> Claim -> Deliver -> Update   the scheduler
type Engine struct {
	store  *copyingStore
	copies *copies
	logger *zap.Logger
	timing timing

	snapshot   atomic.Pointer[snapshot] // never nil
	reserved   atomic.Int64             // bytes of events that are being appended
	asking     atomic.Int32             // senders who wait for an answer
	poke       chan struct{}            // wakes the scheduler
	sweep      chan struct{}            // wakes the janitor
	life       context.Context          // ends with Close
	die        context.CancelFunc
	background sync.WaitGroup // the scheduler and the janitor
	workers    workers
	failing    complaint
	oldest     oldest
	closing    func() error

	attaching sync.Mutex                        // held while a configuration is being attached
	attached  []*Config                         // not detached yet, the newest last
	paused    atomic.Pointer[map[RouteKey]bool] // changes under attaching; nil = not recalled yet

	mu       sync.Mutex        // guards what follows, and changes of snapshot
	working  map[inFlight]bool // pieces of work that are being done; true = claimed again meanwhile
	quiet    chan struct{}     // closed when no work is being done any more
	attempts context.Context
	cancel   context.CancelFunc // ends attempts
}

// timing is how fast an engine does what no configuration sets.
type timing struct {
	Grace          time.Duration // for attempts that run when the last configuration is detached
	Linger         time.Duration // for attempts that were cancelled after Grace
	LeaseMargin    time.Duration // how much longer a lease lasts than its attempt may take
	StoreRetry     time.Duration // pause after the store failed
	Poll           time.Duration // longest time between two looks at a queue
	Sweep          time.Duration // between two runs of the janitor
	CheckTimeout   time.Duration // timeout of a call that checks a proof
	FirstRecheck   time.Duration // first pause between such calls; each further one is twice as long,
	LongestRecheck time.Duration // up to this one
	CheckFor       time.Duration // how long after its arrival a held event is checked
}

var defaultTiming = timing{
	Grace:          10 * time.Second,
	Linger:         2 * time.Second,
	LeaseMargin:    time.Minute,
	StoreRetry:     time.Second,
	Poll:           15 * time.Second,
	Sweep:          time.Minute,
	CheckTimeout:   3 * time.Second,
	FirstRecheck:   5 * time.Second,
	LongestRecheck: 5 * time.Minute,
	CheckFor:       72 * time.Hour,
}

// NewEngine opens the backend's store and runs an engine on it. The engine delivers
// nothing before a configuration is attached.
func NewEngine(backend Backend, logger *zap.Logger) (*Engine, error) {
	return newEngine(backend, logger, defaultTiming)
}

func newEngine(backend Backend, logger *zap.Logger, times timing) (*Engine, error) {
	store, err := backend.Open(logger)
	if err != nil {
		return nil, fmt.Errorf("opening queue: %w", err)
	}
	unstored := newCopies()
	e := &Engine{
		store:   &copyingStore{store, unstored},
		copies:  unstored,
		logger:  logger,
		timing:  times,
		poke:    make(chan struct{}, 1),
		sweep:   make(chan struct{}, 1),
		working: make(map[inFlight]bool),
	}
	e.closing = sync.OnceValue(e.close)
	e.life, e.die = context.WithCancel(context.Background())
	e.workers = workers{make(chan func()), e.life.Done()}
	e.attempts, e.cancel = context.WithCancel(e.life)
	none := &snapshot{cfg: new(Config), maxSize: backend.MaxSize(), observer: nobody{}, logger: logger}
	none.routeStates, none.sourceStates = make(map[RouteKey]*routeState), make(map[string]*sourceState)
	none.off.Store(true)
	e.snapshot.Store(none)
	e.background.Go(e.schedule)
	e.background.Go(e.keepClean)
	return e, nil
}

// Attach makes cfg the configuration in force. The one before has no say any more, unless
// cfg is detached before it. Attempts that run end with the handler they began with. The
// dedup windows of sources that are new to the engine are filled from the store; while
// the store is unavailable their requests are refused.
func (e *Engine) Attach(cfg *Config) {
	e.attaching.Lock()
	defer e.attaching.Unlock()
	e.attached = append(e.attached, cfg)
	e.workBy(cfg)
}

// workBy makes cfg the configuration in force.
func (e *Engine) workBy(cfg *Config) {
	cfg.Backend.Apply(e.store.Store)
	e.recall()
	snap := e.newSnapshot(cfg)
	e.mu.Lock()
	if e.attempts.Err() != nil {
		e.attempts, e.cancel = context.WithCancel(e.life)
	}
	e.snapshot.Store(snap)
	e.mu.Unlock()
	signal(e.poke)
	e.fillDedup(snap)
	e.fillRooms(snap)
	signal(e.sweep)
}

// Detach takes back what Attach did. If cfg is the configuration in force, the newest
// one that is still attached takes over: a reload that failed half-way leaves the
// configuration before it in force.
//
// If no other is attached, the engine stops handing out deliveries and waits for the
// attempts that run. Attempts that take longer than ten seconds are interrupted: they
// do not count, and their deliveries stay pending. Append goes on working.
func (e *Engine) Detach(cfg *Config) {
	e.attaching.Lock()
	e.attached = slices.DeleteFunc(e.attached, func(c *Config) bool { return c == cfg })
	current := e.snapshot.Load().cfg == cfg
	if n := len(e.attached); current && n > 0 {
		e.workBy(e.attached[n-1])
		current = false
	}
	e.attaching.Unlock()
	if current {
		e.windDown(cfg)
	}
}

// windDown stops handing out deliveries, and waits for the attempts that run.
func (e *Engine) windDown(cfg *Config) {
	e.mu.Lock()
	snap := e.snapshot.Load()
	if snap.cfg != cfg { // attached again meanwhile
		e.mu.Unlock()
		return
	}
	snap.off.Store(true)
	quiet := e.quiet
	e.mu.Unlock()

	if within(quiet, e.timing.Grace) {
		return
	}
	e.mu.Lock()
	if e.snapshot.Load() != snap { // attached again meanwhile
		e.mu.Unlock()
		return
	}
	e.cancel()
	e.mu.Unlock()
	within(quiet, e.timing.Linger)
}

// Close interrupts the attempts that still run, and closes the store. Later calls of
// other methods fail with ErrClosed or do nothing.
func (e *Engine) Close() error { return e.closing() }

func (e *Engine) close() error {
	e.mu.Lock()
	e.snapshot.Load().off.Store(true)
	quiet := e.quiet
	e.mu.Unlock()
	e.die()
	e.background.Wait()
	within(quiet, e.timing.Linger)
	return e.store.Close()
}

// Get loads an event, with its request. It returns ErrNotFound when there is
// no such event.
func (e *Engine) Get(ctx context.Context, id ID) (*Event, error) { return e.store.Get(ctx, id) }

// List yields events without their requests, newest first, starting below the
// ID before (the zero ID: at the newest), until yield returns false.
func (e *Engine) List(ctx context.Context, before ID, yield func(*Event) bool) error {
	return e.store.List(ctx, before, yield)
}

// Ascend yields events without their requests, oldest first, starting above the
// ID after (the zero ID: at the oldest), until yield returns false.
func (e *Engine) Ascend(ctx context.Context, after ID, yield func(*Event) bool) error {
	return e.store.Ascend(ctx, after, yield)
}

// Usage returns what the store holds, with the states of deliveries as an
// operator sees them. The caller owns the result.
func (e *Engine) Usage() Usage {
	usage := e.store.Usage()
	queues := e.snapshot.Load().queues
	running := e.underWay()
	for route, states := range usage.Deliveries {
		pending := states[Pending]
		if queues[route] == nil {
			states[Parked], states[Pending] = pending, 0
		} else {
			n := min(pending, running[route])
			states[Delivering], states[Pending] = n, pending-n
		}
	}
	return usage
}

// underWay counts the pieces of work that are being done, by route.
func (e *Engine) underWay() map[RouteKey]int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	running := make(map[RouteKey]int64)
	for f := range e.working {
		running[f.route]++
	}
	return running
}

// Live returns how many deliveries are pending.
func (e *Engine) Live() (n int64) {
	for _, states := range e.store.Usage().Deliveries {
		n += states[Pending]
	}
	return n
}

// Remembered returns how many delivery IDs the dedup windows hold, by source.
func (e *Engine) Remembered() map[string]int {
	sourceStates := e.snapshot.Load().sourceStates
	entries := make(map[string]int, len(sourceStates))
	for name, a := range sourceStates {
		entries[name] = a.dedup.size()
	}
	return entries
}

// State returns the state of a delivery of an event as an operator sees it:
// the stored one, or Delivering or Parked.
func (e *Engine) State(ev *Event, d *Delivery) DeliveryState {
	if d.State != Pending {
		return d.State
	}
	route := RouteKey{ev.Source, d.Route}
	e.mu.Lock()
	_, open := e.working[inFlight{route, ev.ID}]
	e.mu.Unlock()
	switch {
	case open:
		return Delivering
	case e.snapshot.Load().queues[route] == nil:
		return Parked
	}
	return Pending
}

// signal wakes the goroutine that waits on c, or will wait next.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// within reports whether done is closed in time. A nil channel counts as closed.
func within(done <-chan struct{}, limit time.Duration) bool {
	if done == nil {
		return true
	}
	select {
	case <-done:
		return true
	case <-time.After(limit):
		return false
	}
}

// update changes a stored event as persist does, and returns the event.
func (e *Engine) update(id ID, change func(*Event) error) (ev *Event, err error) {
	err = e.persist(func() error {
		return e.store.Update(context.Background(), id, func(stored *Event) error {
			ev = stored
			return change(stored)
		})
	})
	return ev, err
}

// persist has write change the store, again and again while the store is unavailable
// and the engine open. What write stores must not depend on anything that changes while
// persist waits.
func (e *Engine) persist(write func() error) error {
	pause := e.timing.StoreRetry / 16
	for {
		err := write()
		if !errors.Is(err, ErrUnavailable) {
			return err
		}
		select {
		case <-time.After(pause):
			pause = min(2*pause, 4*e.timing.StoreRetry)
		case <-e.life.Done():
			return err
		}
	}
}
