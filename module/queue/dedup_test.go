package queue_test

import (
	"context"
	"encoding/binary"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// remembering attaches a source with a dedup window of an hour.
func (s *setup) remembering(entries int) {
	s.Attach(s.config(map[string]*queue.Source{"shop": {
		Window: time.Hour, Entries: entries, Routes: map[string]*queue.Route{"app": new(app).route()},
	}}))
}

func key(n int) (k queue.DedupKey) {
	binary.BigEndian.PutUint64(k[:], 1+uint64(n)) // the zero key is no key
	return k
}

// delivery returns the identity of a delivery that has a body.
func delivery(n, body int) queue.Identity {
	return queue.Identity{Key: key(n), Body: queue.BodyDigest(key(body))}
}

// enter fails the test unless a copy of delivery n is the first one.
func (s *setup) enter(n int) *queue.Flight {
	s.t.Helper()
	flight, seen, err := s.Enter(s.t.Context(), "shop", queue.Identity{Key: key(n)})
	if err != nil || flight == nil {
		s.t.Fatalf("delivery %d is a duplicate of %v, %v", n, seen, err)
	}
	return flight
}

// duplicate fails the test unless a copy of delivery n is a duplicate.
func (s *setup) duplicate(n int) queue.ID {
	s.t.Helper()
	flight, seen, err := s.Enter(s.t.Context(), "shop", queue.Identity{Key: key(n)})
	if err != nil || flight != nil {
		s.t.Fatalf("delivery %d is a first copy, %v", n, err)
	}
	return seen
}

// accept takes an event the way a request does. It returns false for a
// duplicate.
func (s *setup) accept(ctx context.Context, delivery queue.Identity) (queue.ID, bool, error) {
	flight, seen, err := s.Enter(ctx, "shop", delivery)
	if err != nil || flight == nil {
		return seen, false, err
	}
	defer flight.Release()
	e := newEvent(s.t, "shop", "app")
	e.Dedup = flight.Entry(e.ID, time.Now().Add(time.Hour))
	if err := appendOne(ctx, s.Engine, e); err != nil {
		return queue.ID{}, false, err
	}
	flight.Keep(e.ID, e.Dedup.Until)
	return e.ID, true, nil
}

func TestFiftyCopiesAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		s.remembering(1000)
		var first atomic.Int32
		ids := make(chan queue.ID, 50)
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				id, taken, err := s.accept(context.Background(), queue.Identity{Key: key(1)})
				if err != nil {
					t.Error(err)
				}
				if taken {
					first.Add(1)
				}
				// A sender who is told of the event can rely on the store having it.
				if _, err := s.Get(context.Background(), id); err != nil {
					t.Errorf("getting the event a copy was acknowledged for: %v", err)
				}
				ids <- id
			})
		}
		all.Wait()
		close(ids)
		want := <-ids
		for id := range ids {
			if id != want {
				t.Errorf("copies are of %v and of %v", want, id)
			}
		}
		if n, _ := s.Undelivered(); first.Load() != 1 || n != 1 {
			t.Errorf("%d copies were the first one, %d events stored", first.Load(), n)
		}
	})
}

func TestWaitersAfterRelease(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		s.remembering(1000)
		flight := s.enter(1)
		var firsts, duplicates atomic.Int32
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				f, seen, err := s.Enter(context.Background(), "shop", queue.Identity{Key: key(1)})
				switch {
				case err != nil:
					t.Error(err)
				case f != nil:
					firsts.Add(1)
					time.Sleep(10 * time.Millisecond)
					f.Keep(queue.ID{7}, time.Now().Add(time.Hour))
				case seen == queue.ID{7}:
					duplicates.Add(1)
				}
			})
		}
		pass(5 * time.Second)
		if firsts.Load()+duplicates.Load() != 0 {
			t.Error("copies did not wait for the first one")
		}
		flight.Release()
		flight.Keep(queue.ID{9}, time.Now().Add(time.Hour)) // too late
		all.Wait()
		if firsts.Load() != 1 || duplicates.Load() != 19 {
			t.Errorf("%d first copies, %d duplicates", firsts.Load(), duplicates.Load())
		}
	})
}

// Copies that waited are duplicates even if the entry has ended when they go on.
func TestWaiterOfAnEntryThatEnded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		s.remembering(1000)
		flight := s.enter(1)
		time.AfterFunc(20*time.Millisecond, func() { flight.Keep(queue.ID{7}, time.Now().Add(-time.Second)) })
		if seen := s.duplicate(1); seen != (queue.ID{7}) {
			t.Errorf("a duplicate of %v", seen)
		}
	})
}

func TestWaiterGivesUp(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		s.remembering(1000)
		s.enter(1)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if f, _, err := s.Enter(ctx, "shop", queue.Identity{Key: key(1)}); f != nil || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("flight %v, %v", f, err)
		}
	})
}

func TestEviction(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		s.remembering(4)
		flying := s.enter(100)
		halfway := time.Now().Add(30 * time.Minute) // kept 30 minutes ago
		for n := range 4 {
			s.enter(n).Keep(queue.ID{}, halfway)
		}
		s.duplicate(0) // asking does not make it younger
		if len(s.watch.enough) != 0 {
			t.Errorf("evicted too early: %v", s.watch.enough)
		}
		s.enter(4).Keep(queue.ID{}, halfway)
		if len(s.watch.enough) != 1 || s.watch.enough[0] != 8 {
			t.Errorf("observed sizes %v; what lasts half an hour with 4 entries lasts an hour with 8", s.watch.enough)
		}
		for n := 1; n <= 4; n++ {
			s.duplicate(n)
		}
		s.enter(0).Release()

		// A flight is not forgotten.
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if f, _, err := s.Enter(ctx, "shop", queue.Identity{Key: key(100)}); f != nil || err == nil {
			t.Error("a flight was evicted")
		}
		flying.Release()
	})
}

func TestEntriesEnd(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend), func(p *queue.Timing) { p.Sweep = 10 * time.Millisecond })
		s.remembering(2)
		s.enter(1).Keep(queue.ID{}, time.Now())
		s.enter(1).Release() // it is over
		for n := range 5 {
			s.enter(n).Keep(queue.ID{}, time.Now())
		}
		if len(s.watch.enough) != 0 {
			t.Errorf("entries that were over were counted as evicted: %v", s.watch.enough)
		}
		eventually(t, "entries to be cleared away", func() bool { return s.Remembered()["shop"] == 0 })
	})
}

func TestDedupOutlivesConfigurations(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		s.remembering(10)
		until := time.Now().Add(30 * time.Minute)
		for n := range 8 {
			s.enter(n).Keep(queue.ID{}, until)
		}
		s.Attach(s.config(nil))
		s.remembering(4)
		for n := 4; n < 8; n++ {
			s.duplicate(n)
		}
		s.enter(3).Release()
		if len(s.watch.enough) == 0 {
			t.Error("nobody was told that the smaller window forgot something")
		}
		s.remembering(10)
		for n := 10; n < 16; n++ {
			s.enter(n).Keep(queue.ID{}, until)
		}
		s.duplicate(4)
	})
}

func TestDedupIsFilledFromTheStore(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		s.remembering(1000)
		var ids []queue.ID
		for n := range 10 {
			id, _, err := s.accept(t.Context(), delivery(n, 5))
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		again := newSetup(t, s.backend)
		again.remembering(6)
		for n := 4; n < 10; n++ {
			if seen := again.duplicate(n); seen != ids[n] {
				t.Errorf("a copy of delivery %d is one of %v, want %v", n, seen, ids[n])
			}
		}
		again.enter(0).Release()
		if len(again.watch.enough) != 4 {
			t.Errorf("of 10 entries, 6 fit: %d were reported as forgotten", len(again.watch.enough))
		}
	})
}

func TestDedupWhileTheStoreIsUnavailable(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var broken atomic.Bool
		broken.Store(true)
		b := &backend{wrap: func(s queue.Store) queue.Store {
			return &faulty{Store: s, remembered: func() error {
				if broken.Load() {
					return queue.ErrUnavailable
				}
				return nil
			}}
		}}
		s := newSetup(t, b, func(p *queue.Timing) { p.StoreRetry = 5 * time.Millisecond })
		s.Attach(s.config(map[string]*queue.Source{
			"shop":  {Window: time.Hour, Entries: 10, Routes: map[string]*queue.Route{"app": new(app).route()}},
			"login": {Window: time.Hour, Entries: 10},
		}))
		if _, _, err := s.Enter(t.Context(), "shop", queue.Identity{Key: key(1)}); !errors.Is(err, queue.ErrUnavailable) {
			t.Errorf("entering a window that is not filled: %v", err)
		}
		if flight, _, err := s.Enter(t.Context(), "login", queue.Identity{Key: key(1)}); flight == nil || err != nil {
			t.Errorf("entering a window that needs no store: %v", err)
		}
		broken.Store(false)
		eventually(t, "the window to be filled", func() bool {
			flight, _, err := s.Enter(t.Context(), "shop", queue.Identity{Key: key(1)})
			if err == nil {
				flight.Release()
			}
			return err == nil
		})
	})
}

func TestNoWindow(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		s.Attach(s.config(map[string]*queue.Source{"shop": {}}))
		for range 2 {
			s.enter(1).Keep(queue.ID{}, time.Now().Add(time.Hour))
		}
		if _, _, err := s.Enter(t.Context(), "nobody", queue.Identity{Key: key(1)}); !errors.Is(err, queue.ErrUnavailable) {
			t.Errorf("entering a source that was never configured: %v", err)
		}
	})
}

func TestDedupIsLean(t *testing.T) {
	const entries = 50_000
	s := newSetup(t, new(backend))
	s.Attach(s.config(map[string]*queue.Source{"shop": {Window: time.Hour, Entries: entries}}))
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, until := heap(), time.Now().Add(time.Hour)
	for n := range entries {
		s.enter(n).Keep(queue.ID{}, until)
	}
	if each := (heap() - before) / entries; each > 96 {
		t.Errorf("an entry takes %d bytes", each)
	} else {
		t.Logf("an entry takes %d bytes", each)
	}
}

// The window of a source that remembers nothing does not count as filled: the
// store has entries that it lacks.
func TestDedupThatWasOff(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		s.remembering(1000)
		for n := range 10 {
			if _, _, err := s.accept(t.Context(), delivery(n, 5)); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		again := newSetup(t, s.backend)
		again.Attach(again.config(map[string]*queue.Source{"shop": {Routes: map[string]*queue.Route{"app": new(app).route()}}}))
		again.enter(3).Release()
		again.remembering(1000)
		for n := range 10 {
			again.duplicate(n)
		}
	})
}
