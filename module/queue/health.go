package queue

import (
	"sync"
	"sync/atomic"
	"time"
)

// tooMany is how many failures in a row make a route a failing one.
const tooMany = 5

// health is how the upstream of a route fares. A failing route gets one attempt at a
// time, with growing pauses: a probe. Of a million deliveries that are due, one after
// the other finds out whether the upstream is back, and the others stay untouched.
type health struct {
	ailing atomic.Bool // failures > 0

	mu       sync.Mutex
	failures int       // in a row
	reason   string    // of the last failure
	probe    time.Time // when the next probe may begin
}

// failing reports whether the route is failing, why, and when the next attempt
// may begin.
func (h *health) failing() (reason string, probe time.Time, failing bool) {
	if !h.ailing.Load() {
		return "", time.Time{}, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.reason, h.probe, h.failures >= tooMany
}

// succeeded notes that the upstream took an event. It reports whether the
// route was failing until now.
func (h *health) succeeded() (recovered bool) {
	if !h.ailing.Load() {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	recovered = h.failures >= tooMany
	h.failures, h.reason, h.probe = 0, "", time.Time{}
	h.ailing.Store(false)
	return recovered
}

// failed notes that the upstream did not answer, or asked for a pause. It reports whether
// that makes the route a failing one. Attempts that already ran when the route became a
// failing one say nothing new.
func (h *health) failed(r *Route, result Result, probe bool, ended time.Time) (failing bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failures >= tooMany && !probe {
		return false
	}
	h.failures++
	h.reason = result.Reason
	h.ailing.Store(true)
	if h.failures < tooMany {
		return false
	}
	h.probe = r.nextProbe(h.failures-tooMany, result, ended)
	return h.failures == tooMany
}

// refused notes that the upstream has judged an event: it answers, but may not be well
// yet. The next probe need not wait.
func (h *health) refused() {
	if !h.ailing.Load() {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.probe = (time.Time{}); h.failures < tooMany {
		h.failures = 0
		h.ailing.Store(false)
	}
}

// hurry has the next probe made at once. A new configuration, or an operator who
// replays, may have mended what was wrong.
func (h *health) hurry() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.probe = time.Time{}
}

// examine notes what an attempt says about its route. probe says that the route was
// failing when the attempt began.
func (e *Engine) examine(q *routeQueue, result Result, probe bool, ended time.Time) {
	if result.Unsent {
		return
	}
	observer := e.snapshot.Load().observer
	switch result.Outcome {
	case Succeeded:
		if q.health.succeeded() {
			observer.Recovered(q.Source, q.RouteKey.Route)
		}
	case Retry:
		if q.health.failed(q.route, result, probe, ended) {
			observer.Failing(q.Source, q.RouteKey.Route, result.Reason)
		}
	case Refused:
		q.health.refused()
	}
}

// Failing tells of each configured route whether it is failing: its upstream has failed
// five attempts in a row, and no attempt has succeeded since.
func (e *Engine) Failing() map[RouteKey]bool {
	routes := make(map[RouteKey]bool)
	for _, q := range e.snapshot.Load().queues {
		if q.route != nil {
			_, _, routes[q.RouteKey] = q.health.failing()
		}
	}
	return routes
}
