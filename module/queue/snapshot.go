package queue

import (
	"maps"
	"sync/atomic"

	"go.uber.org/zap"
)

// snapshot is a configuration at work, with all that follows from it. Its maps do not
// change: another configuration, and a pause, make another snapshot.
type snapshot struct {
	cfg          *Config
	maxSize      int64
	observer     Observer
	logger       *zap.Logger
	queues       map[RouteKey]*routeQueue
	routeStates  map[RouteKey]*routeState // also of routes that are paused, or that only an earlier configuration names
	sourceStates map[string]*sourceState  // by source; also of sources that only an earlier configuration names
	off          atomic.Bool              // nothing is handed out any more
}

// sourceState is what an engine keeps of a source for as long as the engine lives.
type sourceState struct {
	reserved    atomic.Int64 // bytes of events that are being appended
	room        *waitingRoom
	pausing     complaint // about calls that check held events
	dedup       dedupWindow
	evicting    complaint
	conflicting complaint
}

func (e *Engine) newSourceState(source string, maxSize int64) *sourceState {
	a := &sourceState{room: newWaitingRoom(e.timing, maxSize)}
	a.dedup.evicted = func(enough int) {
		snap := e.snapshot.Load()
		snap.observer.Evicted(source, enough)
		if a.evicting.due() {
			snap.logger.Warn("dedup window is too small: forgot delivery IDs before their time",
				zap.String("source", source), zap.Int("enough_entries", enough))
		}
	}
	a.dedup.conflict = func(first, second ID) {
		snap := e.snapshot.Load()
		snap.observer.Conflicted(source)
		if !a.conflicting.due() {
			return
		}
		fields := []zap.Field{zap.String("source", source)}
		if second != (ID{}) {
			fields = append(fields, zap.Stringer("event", second))
		}
		if first != (ID{}) {
			fields = append(fields, zap.Stringer("first", first))
		}
		snap.logger.Warn("an event has the delivery ID of another one, and another body: both are kept", fields...)
	}
	return a
}

// newSnapshot turns a configuration into a snapshot that takes over the states of
// the snapshot in force.
func (e *Engine) newSnapshot(cfg *Config) *snapshot {
	before := e.snapshot.Load()
	snap := &snapshot{
		cfg:          cfg,
		maxSize:      cfg.Backend.MaxSize(),
		observer:     cfg.Observer,
		logger:       cfg.Logger,
		queues:       make(map[RouteKey]*routeQueue),
		routeStates:  maps.Clone(before.routeStates),
		sourceStates: maps.Clone(before.sourceStates),
	}
	if snap.observer == nil {
		snap.observer = nobody{}
	}
	if snap.logger == nil {
		snap.logger = e.logger
	}
	for name, src := range cfg.Sources {
		if snap.sourceStates[name] == nil {
			snap.sourceStates[name] = e.newSourceState(name, snap.maxSize)
		}
		snap.sourceStates[name].dedup.configure(src)
		for route, r := range src.Routes {
			if e.mayRun(RouteKey{name, route}) {
				snap.addQueue(&routeQueue{RouteKey: RouteKey{name, route}, source: src, route: r, limit: r.Concurrency})
			}
		}
		if src.Check != nil {
			snap.addQueue(&routeQueue{RouteKey: RouteKey{Source: name}, source: src})
			snap.room(name).hurry()
		}
	}
	return snap
}

// inForce reports whether the engine works by the snapshot.
func (e *Engine) inForce(snap *snapshot) bool { return e.snapshot.Load() == snap && !snap.off.Load() }

// addQueue adds the queue of a route, with the state that the route has by now.
func (snap *snapshot) addQueue(q *routeQueue) {
	if snap.routeStates[q.RouteKey] == nil {
		snap.routeStates[q.RouteKey] = new(routeState)
	}
	q.routeState = snap.routeStates[q.RouteKey]
	q.health.hurry()
	if q.route != nil {
		q.rate = q.routeState.limitTo(q.route.Rate)
	}
	q.limit = max(q.limit, 1)
	snap.queues[q.RouteKey] = q
}

// holds reports whether a dead letter on its way to a route holds its key.
func (snap *snapshot) holds(route RouteKey) bool {
	src := snap.source(route.Source)
	return src != nil && src.Routes[route.Route] != nil && src.Routes[route.Route].Hold
}

// source returns the source of that name, nil if the configuration has none.
func (snap *snapshot) source(name string) *Source { return snap.cfg.Sources[name] }

// stored reports whether the source's events are stored.
func (s *Source) stored() bool { return len(s.Routes) > 0 || s.Check != nil }
