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
	maxBytes = 8 << 20 // of a batch that has several operations
)

// operation is what one caller wants written, to the journal or in a transaction.
type operation struct {
	apply  func(*txn) error // may run more than once
	insert *insertion       // used if apply is nil
	size   int
	urgent bool // the operation's batch does not wait for more
	state  atomic.Int32
	err    error      // what apply returned
	done   chan error // the answer; nil: nobody waits for it
}

// answers are channels for later operations. Each has room for one answer.
var answers = sync.Pool{New: func() any { return make(chan error, 1) }}

const (
	waiting int32 = iota
	taken
	withdrawn
)

// batcher is where operations wait for the goroutine that serves them in batches: the
// one that writes to the journal, or the committer.
type batcher struct {
	patience time.Duration // how long a batch may wait for more operations

	mu      sync.Mutex
	ops     []*operation
	served  []*operation // the last batch, whose memory is used again
	bytes   int
	refusal error // what operations are refused with; nil while they are taken
	closing bool
	target  int           // number of operations at which the server is woken
	hurry   bool          // an urgent operation waits
	shaken  bool          // the server is to look up, even without operations
	ready   chan struct{} // holds one wake-up
	quit    chan struct{} // closed with closing
}

func newBatcher(patience time.Duration) *batcher {
	return &batcher{patience: patience, ready: make(chan struct{}, 1), quit: make(chan struct{})}
}

// do has an operation served, together with others. The end of the context withdraws an
// operation that waits for its turn. Once the operation is part of a batch, do waits
// for the outcome: an operation that succeeded is never reported as failed.
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

// refused returns why no operations are taken. It needs the lock.
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

// refuse answers the operations that wait, and all that come, with an error. nil ends
// that. It returns the operations whose answer nobody waits for.
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

// waiting returns how many bytes of operations wait to be served.
func (b *batcher) waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes
}

// expect says how many operations to wait for after a batch: as many as the batch had,
// whose callers have just been answered and are likely to come back, and those that
// wait already. If the server waited for the callers of the last batch only, callers
// would split into groups that take turns, and a small batch costs almost as much as a
// large one.
func (b *batcher) expect(last int) (target int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return min(last+len(b.ops), maxBatch)
}

// next waits until so many operations wait, or until patience ends. A lone operation
// that comes after that does not wait. The batch is nil when the batcher is closed and
// has no operations. It is empty when the batcher began to refuse.
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

// take returns the next batch, if it is to be served now. The memory of the batch before
// is used again.
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
