package queue

import (
	"time"

	"go.uber.org/zap"
)

type Pace = pace

var DefaultPace = defaultPace

const (
	MaxUnsettled = maxUnsettled
	MaxHeld      = maxHeld
)

func NewPacedEngine(backend Backend, logger *zap.Logger, pace Pace) (*Engine, error) {
	return newEngine(backend, logger, pace)
}

func (r *Route) Pause(number int) time.Duration { return r.pause(number) }

// Busy reports whether something works on an event still: it lets go of it a
// moment after the outcome was stored.
func (e *Engine) Busy(ev *Event) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for t := range e.open {
		if t.id == ev.ID {
			return true
		}
	}
	return false
}
