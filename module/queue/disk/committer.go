package disk

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

const (
	patience   = 4 * time.Millisecond // that a batch may wait for company
	maxBatch   = 1024                 // operations
	maxBytes   = 8 << 20              // of a batch of more than one operation
	retryPause = time.Second          // between attempts to open the file
)

// operation is one caller's part of a transaction.
type operation struct {
	apply func(*txn) error // may run more than once
	size  int
	state atomic.Int32
	err   error // what apply returned
	done  chan error
}

const (
	waiting int32 = iota
	taken
	withdrawn
)

// do has an operation committed, together with others. A context that ends
// withdraws an operation that waits for its turn. Once it is part of a batch,
// do waits for the outcome: no caller is told of a failure that was none.
func (s *Store) do(ctx context.Context, size int, apply func(*txn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	op := &operation{apply: apply, size: size, done: make(chan error, 1)}
	if err := s.intake.push(op); err != nil {
		return err
	}
	select {
	case err := <-op.done:
		return err
	case <-ctx.Done():
		if op.state.CompareAndSwap(waiting, withdrawn) {
			return ctx.Err()
		}
		return <-op.done
	}
}

// intake is where operations wait for the committer.
type intake struct {
	mu      sync.Mutex
	ops     []*operation
	refusal error // what operations are answered with, nil while they are taken
	closing bool
	target  int           // length at which the committer is woken
	ready   chan struct{} // holds one wake-up
	quit    chan struct{} // closed with closing
}

func newIntake() *intake {
	return &intake{ready: make(chan struct{}, 1), quit: make(chan struct{})}
}

func (in *intake) push(op *operation) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if err := in.refused(); err != nil {
		return err
	}
	in.ops = append(in.ops, op)
	if n := len(in.ops); n == 1 || n == in.target {
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
func (in *intake) refuse(err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.refusal = err
	if err == nil {
		return
	}
	for _, op := range in.ops {
		if op.state.CompareAndSwap(waiting, taken) {
			op.done <- err
		}
	}
	in.ops = nil
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
// is closed and empty.
func (in *intake) next(target int) []*operation {
	timer := time.NewTimer(patience)
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

func (in *intake) take(target int, late bool) (batch []*operation, closed bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.target = target
	n := len(in.ops)
	if n == 0 || n < target && !late && !in.closing {
		return nil, in.closing && n == 0
	}
	size := 0
	for i, op := range in.ops {
		size += op.size
		if i == maxBatch || i > 0 && size > maxBytes {
			n = i
			break
		}
	}
	batch, in.ops = in.ops[:n:n], slices.Clone(in.ops[n:])
	return batch, false
}

// run is the committer: the only goroutine that writes to the file.
func (s *Store) run() {
	defer close(s.stopped)
	for target := 0; ; {
		if s.db.Load() == nil && !s.reopen() {
			return
		}
		batch := s.intake.next(target)
		if batch == nil {
			return
		}
		s.commit(batch)
		target = s.intake.expect(len(batch))
	}
}

// reopen tries to open the file until that succeeds. It returns false when the
// store was closed meanwhile.
func (s *Store) reopen() bool {
	for {
		select {
		case <-s.intake.quit:
			return false
		case <-time.After(time.Until(s.tried.Add(retryPause))):
		}
		s.tried = time.Now()
		if err := s.open(); err != nil {
			s.intake.refuse(unavailable(err))
			continue
		}
		s.intake.refuse(nil)
		s.logger.Info("queue store is available again", zap.String("dir", s.dir))
		return true
	}
}

// commit gives each operation of a batch its answer.
func (s *Store) commit(batch []*operation) {
	batch = slices.DeleteFunc(batch, func(op *operation) bool { return !op.state.CompareAndSwap(waiting, taken) })
	for len(batch) > 0 {
		spoiler, err := s.transact(batch)
		if spoiler != nil { // the others go again, without it
			spoiler.done <- err
			batch = slices.DeleteFunc(batch, func(op *operation) bool { return op == spoiler })
			continue
		}
		if err != nil {
			err = s.fail(err)
		}
		for _, op := range batch {
			if err != nil {
				op.err = err
			}
			op.done <- op.err
		}
		return
	}
}

// transact runs a batch as one transaction. An operation that fails after it
// has written something is returned as the spoiler of a transaction that was
// rolled back. Any other error means that the outcome is unknown.
func (s *Store) transact(batch []*operation) (spoiler *operation, err error) {
	db := s.db.Load()
	db.NoSync = s.neverSync.Load()
	var tx *bolt.Tx
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			spoiler, err = nil, fmt.Errorf("panic: %v", p)
		}
		rollback(tx)
	}()
	if tx, err = db.Begin(true); err != nil {
		return nil, err
	}
	t := &txn{tx: tx, sums: &s.sums, changes: make(tallies)}
	for _, op := range batch {
		before := t.writes
		if op.err = s.guard(op, t); op.err != nil && t.writes != before {
			return op, op.err
		}
	}
	if t.writes == 0 {
		return nil, nil
	}
	if err := t.flush(); err != nil {
		return nil, err
	}
	if err := tx.Commit(); err != nil {
		return nil, err
	}
	s.commits.Add(1)
	s.sums.apply(t.changes)
	s.leases.end(t.ended...)
	return nil, nil
}

// rollback frees bbolt's lock. After a commit it does nothing.
func rollback(tx *bolt.Tx) {
	defer func() { _ = recover() }()
	if tx != nil {
		_ = tx.Rollback()
	}
}

// guard applies an operation such that its panic is its own failure only.
func (s *Store) guard(op *operation, t *txn) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.logger.Error("panic in the queue store", zap.Any("panic", p), zap.StackSkip("stack", 1))
			err = fmt.Errorf("panic in the queue store: %v", p)
		}
	}()
	return op.apply(t)
}

// fail takes the store out of service after a failed commit: what the page
// cache says about the file need not be what the disk holds. Nothing is
// acknowledged before the file has been opened, and written to, again.
func (s *Store) fail(cause error) error {
	s.logger.Error("writing to the queue store failed", zap.String("dir", s.dir), zap.Error(cause))
	err := unavailable(cause)
	s.intake.refuse(err)
	if db := s.db.Swap(nil); db != nil {
		if err := db.Close(); err != nil {
			s.logger.Warn("closing the queue store failed", zap.String("dir", s.dir), zap.Error(err))
		}
	}
	return err
}

func unavailable(cause error) error {
	if errors.Is(cause, queue.ErrUnavailable) {
		return cause
	}
	return fmt.Errorf("%w: %w", queue.ErrUnavailable, cause)
}
