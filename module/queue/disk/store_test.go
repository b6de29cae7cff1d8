package disk

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
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
	if err := s.Append(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	return e
}

// eventually waits for a condition that comes true by itself.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func TestAppendsShareSyncs(t *testing.T) {
	s := openStore(t, t.TempDir())
	const writers, each = 64, 10
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				if err := s.Append(t.Context(), queuetest.NewEvent(t, "github", start, "app")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := s.commits.Load(); n > writers*each/4 {
		t.Errorf("%d appends took %d commits", writers*each, n)
	}
}

func TestLoneAppendDoesNotWait(t *testing.T) {
	s := openStore(t, t.TempDir())
	appendNew(t, s)
	before := s.commits.Load()
	for range 5 {
		appendNew(t, s)
	}
	if n := s.commits.Load() - before; n != 5 {
		t.Errorf("5 appends, one after the other, took %d commits", n)
	}
}

// block holds the committer within a transaction until release is called, so
// that what comes meanwhile makes one batch.
func block(t *testing.T, s *Store) (release func()) {
	t.Helper()
	entered, leave := make(chan struct{}), make(chan struct{})
	go func() {
		_ = s.do(context.Background(), 0, func(*txn) error {
			close(entered)
			<-leave
			return nil
		})
	}()
	<-entered
	return sync.OnceFunc(func() { close(leave) })
}

func (in *intake) length() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.ops)
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
		{"good append", func() error { return s.Append(t.Context(), good) }, nil},
		{"refused before it wrote", func() error { return s.do(t.Context(), 0, func(*txn) error { return refused }) }, refused},
		{"refused after it wrote", func() error {
			return s.do(t.Context(), 0, func(t *txn) error { return errors.Join(t.put(bucketHeads, spoilt, spoilt), refused) })
		}, refused},
		{"panic after it wrote", func() error {
			return s.do(t.Context(), 0, func(t *txn) error {
				_ = t.put(bucketHeads, spoilt, spoilt)
				panic(refused)
			})
		}, nil},
		{"good append at the end", func() error { return s.Append(t.Context(), goodAfter) }, nil},
	}
	errs := make([]error, len(calls))
	var wg sync.WaitGroup
	for i, c := range calls {
		wg.Go(func() { errs[i] = c.call() })
		eventually(t, "operations queue up", func() bool { return s.intake.length() == i+1 })
	}
	before := s.commits.Load()
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
	if n := s.commits.Load() - before; n != 1 {
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
	release := block(t, s)
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	e := queuetest.NewEvent(t, "github", start, "app")
	result := make(chan error)
	go func() { result <- s.Append(ctx, e) }()
	eventually(t, "the append waits", func() bool { return s.intake.length() == 1 })
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	release()
	appendNew(t, s)
	if _, err := s.Get(t.Context(), e.ID); !errors.Is(err, queue.ErrNotFound) {
		t.Fatalf("a withdrawn append was committed: %v", err)
	}

	ctx, cancel = context.WithCancel(t.Context())
	err := s.do(ctx, 0, func(t *txn) error {
		cancel()
		return t.put(bucketDamaged, []byte("key"), []byte("value"))
	})
	if err != nil {
		t.Fatalf("what was committed is reported as %v", err)
	}
}

func TestCloseCommitsWhatWaits(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	release := block(t, s)
	defer release()
	e := queuetest.NewEvent(t, "github", start, "app")
	appended, closed := make(chan error), make(chan error)
	go func() { appended <- s.Append(t.Context(), e) }()
	eventually(t, "the append waits", func() bool { return s.intake.length() == 1 })
	go func() { closed <- s.Close() }()
	<-s.intake.quit
	release()
	if err := errors.Join(<-appended, <-closed); err != nil {
		t.Fatal(err)
	}
	if _, err := openStore(t, dir).Get(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}
}

// TestFailedCommit fails a commit by closing the file underneath it.
func TestFailedCommit(t *testing.T) {
	s := openStore(t, t.TempDir())
	kept := appendNew(t, s)
	var sawRefusal atomic.Bool
	if err := s.db.Load().Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the store is available again", func() bool {
		err := s.Append(t.Context(), queuetest.NewEvent(t, "github", start, "app"))
		if errors.Is(err, queue.ErrUnavailable) {
			sawRefusal.Store(true)
		} else if err != nil {
			t.Fatal(err)
		}
		return err == nil
	})
	if !sawRefusal.Load() {
		t.Error("an append to a closed file was no error")
	}
	if _, err := s.Get(t.Context(), kept.ID); err != nil {
		t.Error(err)
	}
	if n := s.Usage().Total.Count; n != 2 {
		t.Errorf("the store counts %d events", n)
	}
}

func TestSyncSetting(t *testing.T) {
	s := openStore(t, t.TempDir())
	for _, sync := range []string{syncNever, syncAlways} {
		(&Backend{Sync: sync}).Apply(s)
		appendNew(t, s)
		if got, want := s.db.Load().NoSync, sync == syncNever; got != want {
			t.Errorf("sync %s: NoSync is %t", sync, got)
		}
	}
}

// TestSpaceIsReused holds the file to what a queue that drains needs.
func TestSpaceIsReused(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	s.neverSync.Store(true)
	for range 40 {
		e := queuetest.NewEvent(t, "github", start, "app")
		e.Request.Body = make([]byte, 1<<20)
		if err := s.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if err := s.Remove(t.Context(), e.ID); err != nil {
			t.Fatal(err)
		}
	}
	var size int64
	if err := view(s.db.Load(), func(tx *bolt.Tx) error { size = tx.Size(); return nil }); err != nil {
		t.Fatal(err)
	}
	if size > 8<<20 {
		t.Errorf("after 40 MiB have passed through, %s takes %d bytes", filepath.Join(dir, fileName), size)
	}
}
