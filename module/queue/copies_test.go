package queue_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

const apart = 100 * time.Millisecond

// copied has copies of an event come, some time apart.
func (s *setup) copied(id queue.ID, times int) {
	s.t.Helper()
	for range times {
		if _, err := s.Revive(s.t.Context(), id); err != nil {
			s.t.Fatal(err)
		}
		pass(apart)
	}
}

// A copy costs no write; what is known of copies is stored when the event is.
func TestCopiesAreCounted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var updates atomic.Int32
		b := &backend{wrap: func(st queue.Store) queue.Store {
			return &faulty{Store: st, update: func() error {
				updates.Add(1)
				return nil
			}}
		}}
		s := newSetup(t, b)
		g := make(gate)
		s.attach((&app{answer: g.pass}).route())
		id := s.append(newEvent(t, "shop", "app"))
		pass(time.Second)
		began := queue.Now()
		s.copied(id, 13)
		if n := updates.Load(); n != 0 {
			t.Fatalf("copies cost %d writes", n)
		}
		check := func(when string, c queue.Copies, count int) {
			t.Helper()
			if c.Count != count || len(c.Last) != min(count, 10) {
				t.Fatalf("%s: %+v, want %d copies", when, c, count)
			}
			for i, at := range c.Last {
				if want := began.Add(time.Duration(count-len(c.Last)+i) * apart); at.Sub(want).Abs() > apart/2 {
					t.Errorf("%s: copy %d came at %v, want %v", when, i, at, want)
				}
			}
		}
		check("in the store", s.get(id).Copies, 0)
		check("in all", s.Copies(s.get(id)), 13)
		g.open()
		e := s.ended(id)
		check("in the store after the delivery", e.Copies, 13)
		check("in all after the delivery", s.Copies(e), 13)
		s.copied(id, 2)
		check("in all later", s.Copies(s.get(id)), 15)
	})
}

// rough is a store whose changes are tried once in vain, or twice.
type rough struct {
	queue.Store
	failures atomic.Int32
}

func (r *rough) Update(ctx context.Context, id queue.ID, change func(*queue.Event) error) error {
	e, err := r.Get(ctx, id)
	if err != nil {
		return err
	}
	_ = change(e)
	if r.failures.Add(-1) >= 0 {
		return queue.ErrUnavailable
	}
	return r.Store.Update(ctx, id, change)
}

// A change that fails, or that a store calls twice, neither loses copies nor counts
// them twice.
func TestCopiesInRoughChanges(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var store *rough
		s := newSetup(t, &backend{wrap: func(st queue.Store) queue.Store {
			store = &rough{Store: st}
			return store
		}})
		g := make(gate)
		s.attach((&app{answer: g.pass}).route())
		id := s.append(newEvent(t, "shop", "app"))
		pass(time.Second)
		s.copied(id, 3)
		store.failures.Store(2)
		g.open()
		if e := s.ended(id); e.Copies.Count != 3 || s.Copies(e).Count != 3 {
			t.Errorf("%d copies are stored, %d are known, want 3", e.Copies.Count, s.Copies(e).Count)
		}
		if left := store.failures.Load(); left >= 0 {
			t.Errorf("%d failures are left: the test shows nothing", left)
		}
	})
}

func TestCopiesOfWhatIsGone(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		s.attach(new(app).route())
		e := newEvent(t, "shop", "app")
		if n, err := s.Revive(t.Context(), e.ID); n != 0 || err != nil {
			t.Errorf("revived %d, %v", n, err)
		}
		if c := s.Copies(e); c.Count != 0 {
			t.Errorf("an event that is gone has %d copies", c.Count)
		}
	})
}

// Copies that come during changes of an event are counted once each.
func TestCopiesDuringChanges(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const rounds, each = 20, 5
		s := newSetup(t, new(backend))
		a := app{answer: failing(queue.Result{Outcome: queue.Refused})}
		s.attach(a.route())
		id := s.append(newEvent(t, "shop", "app"))
		s.ended(id)
		var all sync.WaitGroup
		for range rounds {
			for range each {
				all.Go(func() {
					if _, err := s.Revive(context.Background(), id); err != nil {
						t.Error(err)
					}
				})
			}
			pass(time.Millisecond)
		}
		all.Wait()
		e := s.ended(id)
		if c := s.Copies(e); c.Count != rounds*each || len(c.Last) != 10 {
			t.Errorf("%d copies are known, want %d", c.Count, rounds*each)
		}
		if e.Copies.Count == 0 {
			t.Error("no copy is stored")
		}
	})
}
