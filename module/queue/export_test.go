package queue

import (
	"testing"
	"time"

	"go.uber.org/zap"
)

type Timing = timing

var DefaultTiming = defaultTiming

const (
	MaxUnrecorded = maxUnrecorded
	MaxHeld       = maxHeld
)

func NewTimedEngine(backend Backend, logger *zap.Logger, t Timing) (*Engine, error) {
	return newEngine(backend, logger, t)
}

func (b Backoff) Pause(attempt int) time.Duration { return b.pause(attempt) }

// KeepClock undoes at the end of a test what it does to the queue's time.
func KeepClock(t *testing.T) {
	state, stamp := steady.state.Load(), lastStamp.Load()
	t.Cleanup(func() {
		steady.state.Store(state)
		lastStamp.Store(stamp)
	})
}

// Busy reports whether something works on an event still: it lets go of it a
// moment after the outcome was stored.
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
