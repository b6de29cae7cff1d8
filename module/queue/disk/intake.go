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
type intake struct {
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

func newIntake(patience time.Duration) *intake {
	return &intake{patience: patience, ready: make(chan struct{}, 1), quit: make(chan struct{})}
}

// do has an operation served, together with others. A context that ends
// withdraws an operation that waits for its turn. Once it is part of a batch,
// do waits for the outcome: no caller is told of a failure that was none.
func (in *intake) do(ctx context.Context, op *operation) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	done := answers.Get().(chan error)
	op.done = done
	if err := in.push(op); err != nil {
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

func (in *intake) push(ops ...*operation) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if err := in.refused(); err != nil {
		return err
	}
	before := len(in.ops)
	in.ops = append(in.ops, ops...)
	for _, op := range ops {
		in.bytes += op.size
		in.hurry = in.hurry || op.urgent
	}
	if before == 0 || in.hurry || before < in.target && len(in.ops) >= in.target {
		in.wake()
	}
	return nil
}

// refused returns why nothing is taken. It needs the lock.
func (in *intake) refused() error {
	if in.closing {
		return queue.ErrClosed
	}
	return in.refusal
}

func (in *intake) why() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.refused()
}

func (in *intake) wake() {
	select {
	case in.ready <- struct{}{}:
	default:
	}
}

// refuse answers what waits, and all that comes, with an error. nil ends that.
// It returns those operations that nobody waits for.
func (in *intake) refuse(err error) (dropped []*operation) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.refusal = err
	if err == nil {
		return nil
	}
	for _, op := range in.ops {
		switch {
		case !op.state.CompareAndSwap(waiting, taken):
		case op.done != nil:
			op.done <- err
		default:
			dropped = append(dropped, op)
		}
	}
	in.ops, in.bytes, in.hurry, in.shaken = nil, 0, false, true
	in.wake()
	return dropped
}

// close returns false if it was called before.
func (in *intake) close() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closing {
		return false
	}
	in.closing = true
	close(in.quit)
	in.wake()
	return true
}

// waiting returns how many bytes wait to be served.
func (in *intake) waiting() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.bytes
}

// expect says for how many operations to wait after a batch: for its callers,
// who have just been answered and are likely to come back, and for those that
// wait already. With the batch alone, callers split into groups that take turns,
// and a small batch costs almost as much as a large one.
func (in *intake) expect(last int) (target int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	return min(last+len(in.ops), maxBatch)
}

// next waits until so many operations wait, or until patience ends. A lone one
// that comes later than that does not wait. The result is nil when the intake
// is closed and empty, and it is empty when the intake began to refuse.
func (in *intake) next(target int) []*operation {
	timer := time.NewTimer(in.patience)
	defer timer.Stop()
	for late := false; ; {
		batch, closed := in.take(target, late)
		if batch != nil || closed {
			return batch
		}
		select {
		case <-in.ready:
		case <-timer.C:
			late = true
		}
	}
}

// take returns a batch, if there is one to be served now. It ends the one before.
func (in *intake) take(target int, late bool) (batch []*operation, closed bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.target = target
	n := len(in.ops)
	if in.shaken {
		in.shaken = false
		return []*operation{}, false
	}
	if n == 0 || n < target && !late && !in.hurry && !in.closing {
		return nil, in.closing && n == 0
	}
	size := 0
	for i, op := range in.ops {
		if i == maxBatch || i > 0 && size+op.size > maxBytes {
			n = i
			break
		}
		size += op.size
	}
	batch = in.ops[:n]
	clear(in.served[:cap(in.served)])
	in.ops, in.served = append(in.served[:0], in.ops[n:]...), batch
	in.bytes -= size
	in.hurry = false
	return batch, false
}
