package queue

import (
	"testing"

	"go.uber.org/zap"
)

type Timing = timing

var DefaultTiming = defaultTiming

const (
	MaxUnrecorded = maxUnrecorded
	MaxCalls      = maxCalls
	MaxCallsEach  = maxCallsEach
)

func NewTimedEngine(backend Backend, logger *zap.Logger, t Timing) (*Engine, error) {
	return newEngine(backend, logger, t)
}

// ResetClock starts the queue's clock anew for a test, and undoes at its end what
// the test has done to the clock.
func ResetClock(t *testing.T) {
	state, stamp := steady.state.Swap(nil), lastStamp.Swap(0)
	t.Cleanup(func() {
		steady.state.Store(state)
		lastStamp.Store(stamp)
	})
}

// Busy reports whether work on an event is in flight still: it ends a moment after its
// outcome was stored.
func (e *Engine) Busy(ev *Event) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for t := range e.working {
		if t.id == ev.ID {
			return true
		}
	}
	return false
}
