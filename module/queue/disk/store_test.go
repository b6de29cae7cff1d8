package disk

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue/queuetest"
)

func TestStore(t *testing.T) {
	queuetest.Run(t, func(t *testing.T) queuetest.Opener {
		dir := t.TempDir()
		return func() (queue.Store, error) { return Open(dir, zap.NewNop()) }
	})
}

var start = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func openStore(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func appendNew(t *testing.T, s *Store) *queue.Event {
	t.Helper()
	e := queuetest.NewEvent(t, "github", start, "app")
	if err := queuetest.Append(t.Context(), s, e); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestAppendsShareSyncs(t *testing.T) {
	s := openStore(t, t.TempDir())
	const writers, each = 64, 10
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				if err := queuetest.Append(t.Context(), s, queuetest.NewEvent(t, "github", start, "app")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := s.transactions.Load(); n > writers*each/4 {
		t.Errorf("%d appends took %d commits", writers*each, n)
	}
}

func TestLoneAppendDoesNotWait(t *testing.T) {
	s := openStore(t, t.TempDir())
	appendNew(t, s)
	before := s.transactions.Load()
	for range 5 {
		appendNew(t, s)
	}
	if n := s.transactions.Load() - before; n != 5 {
		t.Errorf("5 appends, one after the other, took %d commits", n)
	}
}

// block holds the committer within a transaction until release is called, so that the
// operations that come meanwhile make one batch.
func block(t *testing.T, s *Store) (release func()) {
	t.Helper()
	entered, leave := make(chan struct{}), make(chan struct{})
	go func() {
		_ = s.do(context.Background(), func(*txn) error {
			close(entered)
			<-leave
			return nil
		})
	}()
	<-entered
	return sync.OnceFunc(func() { close(leave) })
}

func (b *batcher) length() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.ops)
}

func TestFailuresWithinBatch(t *testing.T) {
	s := openStore(t, t.TempDir())
	refused := errors.New("refused")
	release := block(t, s)
	defer release()
	good := queuetest.NewEvent(t, "github", start, "app")
	goodAfter := queuetest.NewEvent(t, "github", start, "app")
	spoilt := []byte("0123456789abcdef")
	calls := []struct {
		name string
		call func() error
		want error
	}{
		{"good append", func() error { return queuetest.Append(t.Context(), s, good) }, nil},
		{"refused before it wrote", func() error { return s.do(t.Context(), func(*txn) error { return refused }) }, refused},
		{"refused after it wrote", func() error {
			return s.do(t.Context(), func(t *txn) error { return errors.Join(t.put(bucketHeads, spoilt, spoilt), refused) })
		}, refused},
		{"panic after it wrote", func() error {
			return s.do(t.Context(), func(t *txn) error {
				_ = t.put(bucketHeads, spoilt, spoilt)
				panic(refused)
			})
		}, nil},
		{"good append at the end", func() error { return queuetest.Append(t.Context(), s, goodAfter) }, nil},
	}
	errs := make([]error, len(calls))
	var wg sync.WaitGroup
	for i, c := range calls {
		wg.Go(func() { errs[i] = c.call() })
		queuetest.Eventually(t, "operations queue up", func() bool { return s.commitBatcher.length() == i+1 })
	}
	before := s.transactions.Load()
	release()
	wg.Wait()
	for i, c := range calls {
		if c.name == "panic after it wrote" {
			if errs[i] == nil {
				t.Errorf("%s: no error", c.name)
			}
		} else if !errors.Is(errs[i], c.want) {
			t.Errorf("%s: %v", c.name, errs[i])
		}
	}
	if n := s.transactions.Load() - before; n != 1 {
		t.Errorf("%d commits, want 1", n)
	}
	for _, e := range []*queue.Event{good, goodAfter} {
		if _, err := s.Get(t.Context(), e.ID); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Get(t.Context(), queue.ID(spoilt)); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("what a failed operation wrote was committed: %v", err)
	}
}

func TestContextWithdrawsUntilTaken(t *testing.T) {
	s := openStore(t, t.TempDir())
	j := s.files.Load().journal
	j.mu.Lock() // holds the journal's goroutine
	release := sync.OnceFunc(j.mu.Unlock)
	defer release()
	push := func() (*queue.Event, *operation) {
		in, err := newInsertion([]*queue.Event{queuetest.NewEvent(t, "github", start, "app")}, func() {})
		if err != nil {
			t.Fatal(err)
		}
		return in.events[0].event, &in.toJournal
	}
	ctx, cancel := context.WithCancel(t.Context())
	taken, first := push()
	withdrawn, second := push()
	results := make(chan error, 2)
	go func() { results <- s.journalBatcher.do(ctx, first) }()
	queuetest.Eventually(t, "the first append is taken", func() bool { return first.state.Load() != waiting })
	go func() { results <- s.journalBatcher.do(ctx, second) }()
	queuetest.Eventually(t, "the second append waits", func() bool { return s.journalBatcher.length() == 1 })
	cancel()
	if err := <-results; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	release()
	if err := <-results; err != nil {
		t.Fatalf("what was stored is reported as %v", err)
	}
	if _, err := s.Get(t.Context(), taken.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), withdrawn.ID); !errors.Is(err, queue.ErrNotFound) {
		t.Fatalf("a withdrawn append was committed: %v", err)
	}
}

// TestMemoryIsUsedAgain appends many events, some of whose callers go away meanwhile. Each
// event comes into sight once, and is the one that was appended.
func TestMemoryIsUsedAgain(t *testing.T) {
	s := openStore(t, t.TempDir())
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 200 {
				e := queuetest.NewEvent(t, "github", start, "app")
				e.Request.Body = bytes.Repeat(e.ID[:], 100)
				ctx, cancel := context.WithTimeout(t.Context(), rand.N(2*time.Millisecond))
				visible := make(chan struct{}, 2)
				_, err := s.Append(ctx, slices.Repeat([]*queue.Event{e}, 1+rand.IntN(3)), func() { visible <- struct{}{} })
				cancel()
				if err != nil {
					continue
				}
				if <-visible; len(visible) > 0 {
					t.Errorf("event %s came into sight twice", e.ID)
				}
				got, err := s.Get(t.Context(), e.ID)
				if err != nil || got.DeliveryID != e.DeliveryID || !bytes.Equal(got.Request.Body, e.Request.Body) {
					t.Errorf("event %s came back as %+v: %v", e.ID, got, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestUpdateOfNothingIsNoCommit(t *testing.T) {
	s := openStore(t, t.TempDir())
	e := appendNew(t, s)
	route := queue.RouteKey{Source: "github", Route: "app"}
	if claimed, _, err := s.Claim(t.Context(), route, start, time.Minute, 1); err != nil || len(claimed) != 1 {
		t.Fatalf("claimed %v: %v", claimed, err)
	}
	before := s.transactions.Load()
	if err := s.Update(t.Context(), e.ID, func(*queue.Event) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if n := s.transactions.Load() - before; n != 0 {
		t.Errorf("it took %d commits", n)
	}
	if claimed, _, err := s.Claim(t.Context(), route, start, time.Minute, 1); err != nil || len(claimed) != 0 {
		t.Errorf("the lease has ended: claimed %v, %v", claimed, err)
	}
}

// A claim must not rely on a read from before a commit that ended a lease.
func TestViewBeforeCommitIsNotLatest(t *testing.T) {
	s := openStore(t, t.TempDir())
	e := appendNew(t, s)
	for range 2 {
		err := s.view(func(tx *bolt.Tx) error {
			if !s.isLatest(tx) {
				t.Error("a view that has just begun counts as an old one")
			}
			if err := deliver(t, s, e.ID); err != nil {
				return err
			}
			if s.isLatest(tx) {
				t.Error("a view that began before a commit counts as the latest")
			}
			return s.Update(t.Context(), e.ID, func(e *queue.Event) error {
				e.Deliveries[0].State = queue.Pending
				return nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestCloseCommitsWhatWaits(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	release := block(t, s)
	defer release()
	e := queuetest.NewEvent(t, "github", start, "app")
	appended, closed := make(chan error), make(chan error)
	go func() { appended <- queuetest.Append(t.Context(), s, e) }()
	queuetest.Eventually(t, "the append waits", func() bool { return s.commitBatcher.length() == 1 })
	go func() { closed <- s.Close() }()
	<-s.commitBatcher.quit
	release()
	if err := errors.Join(<-appended, <-closed); err != nil {
		t.Fatal(err)
	}
	if _, err := openStore(t, dir).Get(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}
}

// Both files can fail. An event that the journal has is not lost then, and any other is
// refused.
func TestFailedWrites(t *testing.T) {
	for name, fail := range map[string]func(*Store) error{
		"queue file": func(s *Store) error { return s.files.Load().db.Close() },
		"journal": func(s *Store) error {
			j := s.files.Load().journal
			return j.files[len(j.files)-1].Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t, t.TempDir())
			kept := []*queue.Event{appendNew(t, s)}
			if err := fail(s); err != nil {
				t.Fatal(err)
			}
			refused := false
			for len(kept) < 4 {
				e := queuetest.NewEvent(t, "github", start, "app")
				switch err := appendOne(t.Context(), s, e, func() {}); {
				case err == nil:
					kept = append(kept, e)
				case errors.Is(err, queue.ErrUnavailable):
					refused = true
					time.Sleep(time.Millisecond)
				default:
					t.Fatal(err)
				}
			}
			if name == "journal" && !refused {
				t.Error("an append to a closed journal was no error")
			}
			queuetest.Eventually(t, "the store is available again", func() bool { return s.catchUp(t.Context()) == nil })
			for _, e := range kept {
				if _, err := s.Get(t.Context(), e.ID); err != nil {
					t.Error(err)
				}
			}
			if n := s.Usage().Total.Count; n != int64(len(kept)) {
				t.Errorf("the store counts %d events, want %d", n, len(kept))
			}
		})
	}
}

func TestSyncSetting(t *testing.T) {
	s := openStore(t, t.TempDir())
	for _, when := range []string{syncNever, syncAlways} {
		(&Backend{Sync: when}).Apply(s)
		appendNew(t, s)
		if err := s.catchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, want := s.files.Load().db.NoSync, when == syncNever; got != want {
			t.Errorf("sync %s: NoSync is %t", when, got)
		}
	}
}

// TestSpaceIsReused checks that a queue which drains does not let the file grow.
func TestSpaceIsReused(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	s.neverSync.Store(true)
	for range 40 {
		e := queuetest.NewEvent(t, "github", start, "app")
		e.Request.Body = make([]byte, 1<<20)
		if err := queuetest.Append(t.Context(), s, e); err != nil {
			t.Fatal(err)
		}
		if err := s.Remove(t.Context(), e.ID); err != nil {
			t.Fatal(err)
		}
	}
	var size int64
	if err := view(s.files.Load().db, func(tx *bolt.Tx) error { size = tx.Size(); return nil }); err != nil {
		t.Fatal(err)
	}
	if size > 8<<20 {
		t.Errorf("after 40 MiB have passed through, %s takes %d bytes", filepath.Join(dir, fileName), size)
	}
}

// TestSpaceIsGivenBack drains a backlog and opens the store again.
func TestSpaceIsGivenBack(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	s.neverSync.Store(true)
	kept := appendNew(t, s)
	var backlog []*queue.Event
	for range 100 {
		e := queuetest.NewEvent(t, "github", start, "app")
		e.Request.Body = make([]byte, 1<<20)
		backlog = append(backlog, e)
		if err := queuetest.Append(t.Context(), s, e); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range backlog {
		if err := s.Remove(t.Context(), e.ID); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir)
	info, err := os.Stat(filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > 20<<20 { // it grows in steps of 16 MiB
		t.Errorf("the file has %d bytes after a backlog of 100 MiB is gone", info.Size())
	}
	if _, err := s.Get(t.Context(), kept.ID); err != nil {
		t.Error(err)
	}
	appendNew(t, s)
	usage := s.Usage()
	if usage.Total.Count != 2 {
		t.Errorf("the store counts %d events", usage.Total.Count)
	}
	if most := int64(20<<20 + 10*journalSize); usage.Disk < info.Size() || usage.Disk > most {
		t.Errorf("the store says that it takes %d bytes of the disk", usage.Disk)
	}
	defer func(d time.Duration) { lockPatience = d }(lockPatience)
	lockPatience = 100 * time.Millisecond
	refuses(t, dir, "in use by another process")
}

// appendOne appends an event that is all of its request.
func appendOne(ctx context.Context, s *Store, e *queue.Event, visible func()) error {
	_, err := s.Append(ctx, []*queue.Event{e}, visible)
	return err
}
