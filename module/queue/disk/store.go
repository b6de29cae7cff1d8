// Package disk is the embedded store of the queue: one bbolt file, written to
// by one goroutine that commits what many callers want in one transaction.
package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// maxPooled is the capacity of the largest buffer that is used again.
const maxPooled = 64 << 10

// Store is a queue.Store in a directory of the local disk. The file in it
// belongs to one process at a time.
type Store struct {
	dir    string
	logger *zap.Logger

	db        atomic.Pointer[bolt.DB] // nil while the file is not usable
	intake    *intake
	sums      ledger
	leases    leases
	neverSync atomic.Bool
	commits   atomic.Int64  // transactions so far
	tried     time.Time     // when opening was last tried again; the committer's own
	stopped   chan struct{} // closed when the committer has ended
}

// Open opens the store in a directory, which is made if it does not exist.
// When the disk does not allow that for now, the store answers ErrUnavailable
// and keeps trying.
func Open(dir string, logger *zap.Logger) (*Store, error) {
	s := &Store{
		dir:     dir,
		logger:  logger,
		intake:  newIntake(),
		leases:  leases{until: make(map[string]time.Time)},
		stopped: make(chan struct{}),
	}
	if err := s.open(); err != nil {
		if !passing(err) {
			return nil, err
		}
		s.tried = time.Now()
		s.sums.reset(make(tallies))
		s.intake.refuse(unavailable(err))
		logger.Error("queue store is unavailable", zap.String("dir", dir), zap.Error(err))
	}
	go s.run()
	return s, nil
}

// open opens the file and reads what the store keeps in memory.
func (s *Store) open() error {
	db, err := openFile(s.dir)
	if err != nil {
		return err
	}
	sum, err := readTallies(db)
	if errors.Is(err, errDamaged) {
		s.logger.Warn("counting the events of the queue again", zap.Error(err))
		sum, err = s.recount(db)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("reading queue file: %w", err), db.Close())
	}
	s.sums.reset(sum)
	s.db.Store(db)
	return nil
}

// view runs a short read transaction.
func (s *Store) view(read func(*bolt.Tx) error) error {
	db := s.db.Load()
	if db == nil {
		return s.refusal()
	}
	switch err := view(db, read); {
	case errors.Is(err, berrors.ErrDatabaseNotOpen): // it was closed a moment ago
		return s.refusal()
	case errors.Is(err, errBroken):
		s.logger.Error("reading from the queue store failed", zap.Error(err))
		return unavailable(err)
	default:
		return err
	}
}

// refusal says why there is no file to read from.
func (s *Store) refusal() error {
	if err := s.intake.why(); err != nil {
		return err
	}
	return queue.ErrUnavailable
}

// Append implements queue.Store. It sets the event's Size.
func (s *Store) Append(ctx context.Context, e *queue.Event) error {
	if e.Request == nil {
		return errors.New("event has no request")
	}
	// Once do returns, nothing refers to the record any more.
	buf := buffers.Get().(*bytes.Buffer)
	defer free(buf)
	request, err := sealTo(buf, e.ID[:], e.Request)
	if err != nil {
		return err
	}
	e.Size = int64(len(request))
	head, err := seal(e.ID[:], e, 512)
	if err != nil {
		return err
	}
	entries, err := index(e)
	if err != nil {
		return err
	}
	return s.do(ctx, len(head)+len(request), func(t *txn) error {
		return t.insert(e, head, request, entries)
	})
}

// buffers hold the records of requests, which are by far the largest ones.
var buffers = sync.Pool{New: func() any { return bytes.NewBuffer(make([]byte, 0, 4<<10)) }}

func free(buf *bytes.Buffer) {
	if buf.Cap() <= maxPooled {
		buffers.Put(buf)
	}
}

// Update implements queue.Store. It may call change more than once, each time
// with the event as it was.
func (s *Store) Update(ctx context.Context, id queue.ID, change func(*queue.Event) error) error {
	err := s.do(ctx, 0, func(t *txn) error { return t.update(id, change) })
	return s.checked(err, id)
}

// Remove implements queue.Store.
func (s *Store) Remove(ctx context.Context, id queue.ID) error {
	err := s.do(ctx, 0, func(t *txn) error { return t.remove(id, false) })
	return s.checked(err, id)
}

// Get implements queue.Store.
func (s *Store) Get(ctx context.Context, id queue.ID) (e *queue.Event, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err = s.view(func(tx *bolt.Tx) (err error) {
		e, err = load(tx, id)
		return err
	})
	if err != nil {
		return nil, s.checked(err, id)
	}
	return e, nil
}

// Usage implements queue.Store.
func (s *Store) Usage() queue.Usage { return s.sums.usage() }

// Undelivered implements queue.Store.
func (s *Store) Undelivered(source string) (ofSource, ofAll int64) {
	ofSource = s.sums.get(tallyKey{kind: countUndelivered, source: source}).Bytes
	return ofSource, s.sums.get(tallyKey{kind: countAllUndone}).Bytes
}

// Close implements queue.Store.
func (s *Store) Close() error {
	if !s.intake.close() {
		return queue.ErrClosed
	}
	<-s.stopped
	db := s.db.Swap(nil)
	if db == nil {
		return nil
	}
	if err := errors.Join(db.Sync(), db.Close()); err != nil {
		return fmt.Errorf("closing queue file: %w", err)
	}
	return nil
}

// Interface guard
var _ queue.Store = (*Store)(nil)
