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
