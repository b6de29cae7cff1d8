package disk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// retryPause is the time between attempts to open the file.
const retryPause = time.Second

// do has an operation committed, together with others.
func (s *Store) do(ctx context.Context, apply func(*txn) error) error {
	return s.commitBatcher.do(ctx, &operation{apply: apply})
}

// catchUp waits until the queue file has all that was appended so far.
func (s *Store) catchUp(ctx context.Context) error {
	return s.commitBatcher.do(ctx, &operation{apply: func(*txn) error { return nil }, urgent: true})
}

// run is the committer: the only goroutine that writes to the queue file.
func (s *Store) run() {
	defer close(s.stopped)
	for target := 0; ; {
		if s.files.Load() == nil && !s.reopen() {
			return
		}
		batch := s.commitBatcher.next(target)
		if batch == nil {
			return
		}
		s.commit(begin(batch))
		s.examine()
		target = s.commitBatcher.expect(len(batch))
		s.advance()
	}
}

// begin takes the operations of a batch that were not withdrawn.
func begin(batch []*operation) []*operation {
	return slices.DeleteFunc(batch, func(op *operation) bool { return !op.state.CompareAndSwap(waiting, taken) })
}

// advance tells the journal that it may go on.
func (s *Store) advance() {
	select {
	case s.progress <- struct{}{}:
	default:
	}
}

// reopen tries to open the files until that succeeds. It returns false when the
// store was closed meanwhile.
func (s *Store) reopen() bool {
	for {
		select {
		case <-s.commitBatcher.quit:
			return false
		case <-time.After(time.Until(s.tried.Add(retryPause))):
		}
		if err := s.mend(); err != nil {
			s.tried = time.Now()
			s.refuse(unavailable(err))
			continue
		}
		s.logger.Info("queue store is available again", zap.String("dir", s.dir))
		return true
	}
}

// mend opens the files, after damage to the queue file has been repaired.
func (s *Store) mend() error {
	// If salvaging did not help, it will not help a second later.
	if s.broken && time.Since(s.salvaged) > time.Minute {
		if err := s.salvage(); err != nil {
			return err
		}
		s.salvaged = time.Now()
	}
	return s.open()
}

// examine looks for damage to the queue file after an operation has panicked: the
// operation may have met damage, or be at fault itself. Some pages are only read by
// writes, so that nobody else would notice their damage.
func (s *Store) examine() {
	f := s.files.Load()
	if f == nil || !s.suspect || time.Since(s.examined) < time.Minute {
		return
	}
	s.suspect = false
	if err := view(f.db, walk); err != nil {
		_ = s.fail(f, err)
	}
	s.examined = time.Now()
}

// commit gives each operation of a batch its answer.
func (s *Store) commit(batch []*operation) {
	f := s.files.Load()
	if f == nil { // the journal failed
		s.finish(batch, s.refusal())
		return
	}
	for len(batch) > 0 {
		spoiler, err := s.transact(f, batch)
		if spoiler != nil { // the other operations are tried again, without the spoiler
			spoiler.done <- err
			batch = slices.DeleteFunc(batch, func(op *operation) bool { return op == spoiler })
			continue
		}
		if err != nil {
			err = s.fail(f, err)
		}
		s.finish(batch, err)
		return
	}
}

// finish answers the callers whose operations are in a batch.
func (s *Store) finish(batch []*operation, err error) {
	if err != nil {
		s.abandon(batch)
	}
	for _, op := range batch {
		switch {
		case op.done != nil && err != nil:
			op.done <- err
		case op.done != nil:
			op.done <- op.err
		case err == nil:
			visible := op.insert.visible
			op.insert.leave()
			visible()
		}
	}
}

// transact runs a batch as one transaction. An operation that fails after it has written
// something is the spoiler of the transaction, which was rolled back. Any other error
// means that the outcome is unknown.
func (s *Store) transact(f *files, batch []*operation) (spoiler *operation, err error) {
	f.db.NoSync = s.neverSync.Load()
	err = s.write(f, func(t *txn) error {
		for _, op := range batch {
			if op.insert != nil {
				if err := t.insert(op.insert); err != nil {
					return err
				}
				continue
			}
			before := t.writes
			if op.err = s.guard(op, t); op.err != nil && t.writes != before {
				spoiler = op
				return op.err
			}
		}
		return nil
	})
	return spoiler, err
}

// write runs a transaction, in memory that the next transaction uses again.
func (s *Store) write(f *files, work func(*txn) error) error {
	t := &txn{sums: &s.sums, changes: make(counters), scratch: s.scratch}
	s.scratch = scratch{}
	err := update(f.db, func(tx *bolt.Tx) error {
		t.tx = tx
		if err := work(t); err != nil {
			return err
		}
		if t.unchanged() {
			return errUnchanged
		}
		if err := t.flush(); err != nil {
			return err
		}
		s.committing.Store(int64(tx.ID()))
		return nil
	})
	if err != nil {
		return err
	}
	s.scratch = t.scratch.emptied()
	if t.unchanged() {
		return nil
	}
	s.transactions.Add(1)
	s.sums.apply(t.changes)
	s.leases.end(t.ended...)
	if f.journal != nil && t.applied > 0 {
		f.journal.applied.Store(t.applied)
	}
	return nil
}

// guard applies an operation such that a panic is the failure of that operation only.
// examine looks for damage afterwards.
func (s *Store) guard(op *operation, t *txn) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.suspect = true
			s.logger.Error("panic in the queue store", zap.Any("panic", p), zap.StackSkip("stack", 1))
			err = fmt.Errorf("panic in the queue store: %v", p)
		}
	}()
	return op.apply(t)
}

// fail takes the files out of service after a failed write: what the page cache
// says about a file need not be what the disk holds. Nothing is acknowledged
// before the files have been opened, and written to, again.
func (s *Store) fail(f *files, cause error) error {
	s.opening.Lock()
	defer s.opening.Unlock()
	err := unavailable(cause)
	if !s.files.CompareAndSwap(f, nil) {
		return err // another failure has taken the files out of service
	}
	s.refuse(err)
	s.logger.Error("writing to the queue store failed", zap.String("dir", s.dir), zap.Error(cause))
	f.journal.mu.Lock()
	defer f.journal.mu.Unlock()
	if err := errors.Join(f.db.Close(), f.journal.close()); err != nil {
		s.logger.Warn("closing the queue store failed", zap.String("dir", s.dir), zap.Error(err))
	}
	return err
}

// refuse answers all operations that wait or come with an error. nil ends that.
func (s *Store) refuse(err error) {
	s.journalBatcher.refuse(err)
	s.abandon(s.commitBatcher.refuse(err))
	s.advance()
}

// abandon forgets insertions that the journal has: they will be read from the journal.
func (s *Store) abandon(batch []*operation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, op := range batch {
		if op.insert != nil {
			s.abandoned = append(s.abandoned, op.insert.visible)
		}
	}
}

// recovered tells the callers whose events were abandoned that the events can be
// claimed.
func (s *Store) recovered() {
	s.mu.Lock()
	abandoned := s.abandoned
	s.abandoned = nil
	s.mu.Unlock()
	for _, visible := range abandoned {
		visible()
	}
}

func unavailable(cause error) error {
	if errors.Is(cause, queue.ErrUnavailable) {
		return cause
	}
	return fmt.Errorf("%w: %w", queue.ErrUnavailable, cause)
}
