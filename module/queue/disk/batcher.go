package disk

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

const (
	maxBatch = 1024    // operations
	maxBytes = 8 << 20 // of a batch of more than one operation
)

// operation is what one caller wants of the journal or of a transaction.
type operation struct {
	apply  func(*txn) error // may run more than once
	insert *insertion       // if apply is nil
	size   int
	urgent bool // its batch does not wait for company
	state  atomic.Int32
	err    error      // what apply returned
	done   chan error // nil: nobody waits
}

// answers are channels that nobody waits on. Each has room for one answer.
var answers = sync.Pool{New: func() any { return make(chan error, 1) }}

const (
	waiting int32 = iota
	taken
	withdrawn
)

// intake is where operations wait for the goroutine that serves them in batches.
type batcher struct {
	patience time.Duration // that a batch may wait for company

	mu      sync.Mutex
	ops     []*operation
	served  []*operation // the batch before, whose memory is used again
	bytes   int
	refusal error // what operations are answered with, nil while they are taken
	closing bool
	target  int           // length at which the server is woken
	hurry   bool          // something urgent waits
	shaken  bool          // the server is to look up, operations or not
	ready   chan struct{} // holds one wake-up
	quit    chan struct{} // closed with closing
}

func newBatcher(patience time.Duration) *batcher {
	return &batcher{patience: patience, ready: make(chan struct{}, 1), quit: make(chan struct{})}
}

// do has an operation served, together with others. A context that ends
// withdraws an operation that waits for its turn. Once it is part of a batch,
// do waits for the outcome: no caller is told of a failure that was none.
func (b *batcher) do(ctx context.Context, op *operation) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	done := answers.Get().(chan error)
	op.done = done
	if err := b.push(op); err != nil {
		return err
	}
	var err error
	if ctx.Done() == nil {
		err = <-done
	} else {
		select {
		case err = <-done:
		case <-ctx.Done():
			if op.state.CompareAndSwap(waiting, withdrawn) {
				return ctx.Err()
			}
			err = <-done
		}
	}
	answers.Put(done)
	return err
}

func (b *batcher) push(ops ...*operation) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.refused(); err != nil {
		return err
	}
	before := len(b.ops)
	b.ops = append(b.ops, ops...)
	for _, op := range ops {
		b.bytes += op.size
		b.hurry = b.hurry || op.urgent
	}
	if before == 0 || b.hurry || before < b.target && len(b.ops) >= b.target {
		b.wake()
	}
	return nil
}

// refused returns why nothing is taken. It needs the lock.
func (b *batcher) refused() error {
	if b.closing {
		return queue.ErrClosed
	}
	return b.refusal
}

func (b *batcher) why() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refused()
}

func (b *batcher) wake() {
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

// refuse answers what waits, and all that comes, with an error. nil ends that.
// It returns those operations that nobody waits for.
func (b *batcher) refuse(err error) (dropped []*operation) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refusal = err
	if err == nil {
		return nil
	}
	for _, op := range b.ops {
		switch {
		case !op.state.CompareAndSwap(waiting, taken):
		case op.done != nil:
			op.done <- err
		default:
			dropped = append(dropped, op)
		}
	}
	b.ops, b.bytes, b.hurry, b.shaken = nil, 0, false, true
	b.wake()
	return dropped
}

// close returns false if it was called before.
func (b *batcher) close() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closing {
		return false
	}
	b.closing = true
	close(b.quit)
	b.wake()
	return true
}

// waiting returns how many bytes wait to be served.
func (b *batcher) waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes
}

// expect says for how many operations to wait after a batch: for its callers,
// who have just been answered and are likely to come back, and for those that
// wait already. With the batch alone, callers split into groups that take turns,
// and a small batch costs almost as much as a large one.
func (b *batcher) expect(last int) (target int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return min(last+len(b.ops), maxBatch)
}

// next waits until so many operations wait, or until patience ends. A lone one
// that comes later than that does not wait. The result is nil when the intake
// is closed and empty, and it is empty when the intake began to refuse.
func (b *batcher) next(target int) []*operation {
	timer := time.NewTimer(b.patience)
	defer timer.Stop()
	for late := false; ; {
		batch, closed := b.take(target, late)
		if batch != nil || closed {
			return batch
		}
		select {
		case <-b.ready:
		case <-timer.C:
			late = true
		}
	}
}

// take returns a batch, if there is one to be served now. It ends the one before.
func (b *batcher) take(target int, late bool) (batch []*operation, closed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.target = target
	n := len(b.ops)
	if b.shaken {
		b.shaken = false
		return []*operation{}, false
	}
	if n == 0 || n < target && !late && !b.hurry && !b.closing {
		return nil, b.closing && n == 0
	}
	size := 0
	for i, op := range b.ops {
		if i == maxBatch || i > 0 && size+op.size > maxBytes {
			n = i
			break
		}
		size += op.size
	}
	batch = b.ops[:n]
	clear(b.served[:cap(b.served)])
	b.ops, b.served = append(b.served[:0], b.ops[n:]...), batch
	b.bytes -= size
	b.hurry = false
	return batch, false
}
