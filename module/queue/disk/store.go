// Package disk is the embedded store of the queue: a journal that makes events durable,
// and a bbolt file that has them with all their indexes. One goroutine writes to each
// of the two, and serves many callers with one sync.
//
//	Append -> journalBatcher -> journal -> commitBatcher -> bbolt     acknowledged when the journal has the event
//	Update, Remove, Expire --------------> commitBatcher -> bbolt     done when bbolt has the change
//	Get, List, Claim -------------------------------------> bbolt
package disk

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// Store is a queue.Store in a directory of the local disk. The file in it
// belongs to one process at a time.
type Store struct {
	dir    string
	logger *zap.Logger

	files          atomic.Pointer[files] // nil while they are not usable
	journalBatcher *batcher              // operations for the journal
	commitBatcher  *batcher              // operations for the committer
	sums           sharedCounters
	leases         leases
	// The last frame of the journal that was acknowledged. Before the files were
	// opened the first time, any frame may have been acknowledged.
	acknowledged atomic.Uint64
	neverSync    atomic.Bool
	transactions atomic.Int64  // transactions so far
	committing   atomic.Int64  // ID of the last transaction whose commit has begun
	frame        []byte        // memory of the last frame; the journal's own
	inserts      []*operation  // memory for the insertions of a frame; the journal's own
	tried        time.Time     // when opening was last tried again; the committer's own
	progress     chan struct{} // holds a sign that the committer has come further
	journalled   chan struct{} // closed when the journal's goroutine has ended
	stopped      chan struct{} // closed when the committer has ended

	opening sync.Mutex // held while the files are opened, and closed after a failure

	// The committer's own:
	scratch            scratch
	broken             bool // the queue file is to be mended
	suspect            bool // an operation panicked
	salvaged, examined time.Time

	mu        sync.Mutex
	abandoned []func() // to be called when the files have been opened again
}

// files are what a store works on.
type files struct {
	db      *bolt.DB
	journal *journal
}

const (
	// How long a batch may wait for more operations. Callers of Append wait
	// meanwhile.
	appendPatience = 2 * time.Millisecond
	commitPatience = 40 * time.Millisecond
)

// Open opens the store in a directory, which is made if it does not exist.
// When the disk does not allow that for now, the store answers ErrUnavailable
// and keeps trying.
func Open(dir string, logger *zap.Logger) (*Store, error) {
	s := &Store{
		dir:            dir,
		logger:         logger,
		journalBatcher: newBatcher(appendPatience),
		commitBatcher:  newBatcher(commitPatience),
		leases:         leases{until: make(map[leaseKey]time.Time)},

		progress:   make(chan struct{}, 1),
		journalled: make(chan struct{}),
		stopped:    make(chan struct{}),
	}
	s.acknowledged.Store(math.MaxUint64)
	if err := s.open(); err != nil {
		switch {
		case errors.Is(err, errBroken): // the committer mends the file at once
		case passing(err):
			s.tried = time.Now()
		default:
			return nil, err
		}
		s.sums.reset(make(counters))
		s.refuse(unavailable(err))
		logger.Error("queue store is unavailable", zap.String("dir", dir), zap.Error(err))
	}
	go s.keepJournal()
	go s.run()
	return s, nil
}

// open opens the file and reads what the store keeps in memory.
func (s *Store) open() error {
	s.opening.Lock()
	defer s.opening.Unlock()
	err := s.openFiles()
	s.broken = errors.Is(err, errBroken)
	return err
}

// openFiles opens queue file and journal, and reads what the store keeps in
// memory.
func (s *Store) openFiles() error {
	db, err := openFile(s.dir)
	if err != nil {
		return err
	}
	if db, err = s.compact(db); err != nil {
		return err
	}
	sum, err := readCounters(db)
	if errors.Is(err, errDamaged) {
		s.logger.Warn("counting the events of the queue again", zap.Error(err))
		sum, err = s.recount(db)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("reading queue file: %w", err), db.Close())
	}
	s.sums.reset(sum)
	j, err := s.recover(db)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	s.files.Store(&files{db, j})
	s.refuse(nil)
	s.recovered()
	return nil
}

// view runs a short read transaction.
func (s *Store) view(read func(*bolt.Tx) error) error {
	f := s.files.Load()
	if f == nil {
		return s.refusal()
	}
	switch err := view(f.db, read); {
	case errors.Is(err, berrors.ErrDatabaseNotOpen): // the file was closed a moment ago
		return s.refusal()
	case errors.Is(err, errBroken):
		return s.fail(f, err)
	default:
		return err
	}
}

// refusal says why there are no files to read from.
func (s *Store) refusal() error {
	if err := s.commitBatcher.why(); err != nil {
		return err
	}
	return queue.ErrUnavailable
}

// Update implements queue.Store. It may call change more than once, each time
// with the event as it was.
func (s *Store) Update(ctx context.Context, id queue.ID, change func(*queue.Event) error) error {
	err := s.do(ctx, func(t *txn) error { return t.update(id, change) })
	return s.checked(err, id)
}

// UpdateAll implements queue.Store. It may call change more than once for an
// event, each time with the event as it was.
func (s *Store) UpdateAll(ctx context.Context, ids []queue.ID, change func(*queue.Event) error) error {
	var damaged []queue.ID
	err := s.do(ctx, func(t *txn) error {
		damaged = damaged[:0]
		for _, id := range ids {
			before := t.writes
			err := t.update(id, change)
			if err != nil && t.writes != before {
				return err
			}
			if errors.Is(err, errDamaged) {
				damaged = append(damaged, id)
			}
		}
		return nil
	})
	for _, id := range damaged {
		s.setAside(errDamaged, id, nil)
	}
	return err
}

// Remove implements queue.Store.
func (s *Store) Remove(ctx context.Context, id queue.ID) error {
	err := s.do(ctx, func(t *txn) error { return t.remove(id, false) })
	return s.checked(err, id)
}

// Get implements queue.Store.
func (s *Store) Get(ctx context.Context, id queue.ID) (e *queue.Event, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	read := func(tx *bolt.Tx) (err error) {
		e, err = openReader(tx).load(id)
		return err
	}
	if err = s.view(read); errors.Is(err, queue.ErrNotFound) { // the journal may have the event, and the queue file not yet
		if err = s.catchUp(ctx); err == nil {
			err = s.view(read)
		}
	}
	if err != nil {
		return nil, s.checked(err, id)
	}
	return e, nil
}

// Usage implements queue.Store. While the store is unavailable, the usage is the last
// known one.
func (s *Store) Usage() queue.Usage {
	_ = s.catchUp(context.Background())
	usage := s.sums.usage()
	if info, err := os.Stat(filepath.Join(s.dir, fileName)); err == nil {
		usage.Disk = info.Size()
	}
	if f := s.files.Load(); f != nil {
		usage.Disk += f.journal.disk()
	}
	return usage
}

// Undelivered implements queue.Store.
func (s *Store) Undelivered(source string) (ofSource, ofAll int64) {
	return s.sums.undelivered(source)
}

// Close implements queue.Store.
func (s *Store) Close() error {
	if !s.journalBatcher.close() {
		return queue.ErrClosed
	}
	<-s.journalled
	s.commitBatcher.close()
	<-s.stopped
	s.recovered() // events that the journal has, though no file will be opened again
	f := s.files.Swap(nil)
	if f == nil {
		return nil
	}
	if err := errors.Join(f.journal.close(), f.db.Sync(), f.db.Close()); err != nil {
		return fmt.Errorf("closing queue file: %w", err)
	}
	return nil
}

// Interface guard
var _ queue.Store = (*Store)(nil)
