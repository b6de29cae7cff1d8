// Package memory is a store of the queue at its simplest: maps under one mutex. Its events
// end with the process. Many methods look at all events. Tests of the engine run on the
// store, and the suite of package queuetest compares other stores with it.
package memory

import (
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// Backend keeps events in memory. A store that was closed can be opened again
// with all that it held, as if the process had been started anew.
type Backend struct {
	// Max is how many bytes of undelivered events the store may hold.
	Max int64

	// Lag is how long after Append an event comes into sight. A store on a disk has
	// such a lag, too.
	Lag time.Duration

	mu   sync.Mutex
	data *data // nil: no store was opened yet
	open bool
}

// Key implements queue.Backend. Each backend has a store of its own.
func (b *Backend) Key() string { return fmt.Sprintf("memory %p", b) }

// Open implements queue.Backend.
func (b *Backend) Open(*zap.Logger) (queue.Store, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open {
		return nil, fmt.Errorf("the store of %s is open already", b.Key())
	}
	if b.data == nil {
		b.data = newData()
	}
	b.open = true
	return &Store{backend: b, data: b.data, leases: make(map[leaseKey]time.Time), hidden: make(map[queue.ID]*unseen)}, nil
}

// Apply implements queue.Backend. The store has no settings.
func (b *Backend) Apply(queue.Store) {}

// MaxSize implements queue.Backend.
func (b *Backend) MaxSize() int64 { return b.Max }

// Copy returns a backend that holds what a crash at this moment would leave.
func (b *Backend) Copy() *Backend {
	b.mu.Lock()
	defer b.mu.Unlock()
	copied := &Backend{Max: b.Max, Lag: b.Lag}
	if b.data != nil {
		copied.data = b.data.copy()
	}
	return copied
}

// Interface guard
var _ queue.Backend = (*Backend)(nil)
