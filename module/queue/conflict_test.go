package queue_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// mustAccept takes an event, and fails the test on an error.
func (s *setup) mustAccept(delivery queue.Identity) (id queue.ID, taken bool) {
	s.t.Helper()
	id, taken, err := s.accept(context.Background(), delivery)
	if err != nil {
		s.t.Fatal(err)
	}
	return id, taken
}

func (s *setup) conflicts() (n int) {
	s.watch.see(func() { n = s.watch.conflicts })
	return n
}

// restarted closes the engine, and returns another one on the same store.
func (s *setup) restarted(entries int) *setup {
	s.t.Helper()
	if err := s.Close(); err != nil {
		s.t.Fatal(err)
	}
	again := newSetup(s.t, s.backend)
	again.remembering(entries)
	return again
}

func TestAnotherBodyIsAnotherEvent(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		s.remembering(1000)
		ids := make(map[int]queue.ID)
		for body := range 3 {
			id, taken := s.mustAccept(delivery(1, body))
			if !taken {
				t.Fatalf("the delivery with body %d is a copy of %v", body, id)
			}
			ids[body] = id
		}
		check := func(s *setup, when string) {
			t.Helper()
			for body, want := range ids {
				if id, taken := s.mustAccept(delivery(1, body)); taken || id != want {
					t.Errorf("%s: a copy with body %d is one of %v (taken: %v), want %v", when, body, id, taken, want)
				}
			}
		}
		check(s, "at once")
		if n := s.conflicts(); n != 2 {
			t.Errorf("%d conflicts observed, want 2: copies are none", n)
		}
		check(s.restarted(1000), "after a restart")
	})
}

// By the ID alone another body makes no difference, also where an entry has, or lacks,
// the digest of a body from before.
func TestKeyAlone(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		s.remembering(1000)
		alone := queue.Identity{Key: key(1)}
		for _, c := range [][2]queue.Identity{
			{alone, alone},
			{{Key: key(2)}, delivery(2, 5)},
			{delivery(3, 5), {Key: key(3)}},
		} {
			first, _ := s.mustAccept(c[0])
			if id, taken := s.mustAccept(c[1]); taken || id != first {
				t.Errorf("after %v, %v is new", c[0], c[1])
			}
		}
		if n := s.conflicts(); n != 0 {
			t.Errorf("%d conflicts observed", n)
		}
	})
}

func TestNoIdentity(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		s.remembering(1000)
		for range 3 {
			if _, taken := s.mustAccept(queue.Identity{}); !taken {
				t.Error("a delivery without an identity is a copy")
			}
		}
		if n := s.Remembered()["shop"]; n != 0 {
			t.Errorf("%d entries are remembered", n)
		}
	})
}

// A request with the same ID and another body does not wait for the first one, and its
// copies wait for itself.
func TestConflictInFlight(t *testing.T) {
	for _, kept := range []bool{true, false} {
		runInBubble(t, fmt.Sprint("the first is kept: ", kept), func(t *testing.T) {
			s := newSetup(t, new(backend))
			s.remembering(1000)
			enter := func(body int) *queue.Flight {
				t.Helper()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				f, id, err := s.Enter(ctx, "shop", delivery(1, body))
				if f == nil || err != nil {
					t.Fatalf("body %d is a copy of %v, %v", body, id, err)
				}
				return f
			}
			first, second := enter(1), enter(2)
			outcomes := make(chan queue.ID, 2)
			for _, body := range []int{1, 2} {
				go func() {
					f, id, err := s.Enter(t.Context(), "shop", delivery(1, body))
					if err != nil {
						t.Error(err)
					}
					if f != nil {
						id = queue.ID{99}
						f.Release()
					}
					outcomes <- id
				}()
			}
			pass(time.Second)
			if len(outcomes) != 0 {
				t.Error("copies did not wait")
			}
			want := queue.ID{99}
			if kept {
				want = queue.ID{1}
				first.Keep(want, time.Now().Add(time.Hour))
			} else {
				first.Release()
			}
			if id := <-outcomes; id != want {
				t.Errorf("the copy of the first one is of %v, want %v", id, want)
			}
			pass(time.Second)
			if len(outcomes) != 0 {
				t.Error("the copy of the second one did not wait for that")
			}
			second.Keep(queue.ID{2}, time.Now().Add(time.Hour))
			if id := <-outcomes; id != (queue.ID{2}) {
				t.Errorf("the copy of the second one is of %v", id)
			}
			for body := 1; body <= 2; body++ { // as later copies are
				f, id, _ := s.Enter(t.Context(), "shop", delivery(1, body))
				if isNew := f != nil; isNew != (body == 1 && !kept) {
					t.Errorf("body %d: flight %v, copy of %v", body, f, id)
				}
			}
		})
	}
}

// A first delivery that has left the window leaves those beside it known.
func TestConflictOutlivesTheFirst(t *testing.T) {
	for name, leave := range map[string]func(s *setup) *setup{
		"evicted": func(s *setup) *setup {
			for n := 2; n <= 3; n++ { // three fit
				s.mustAccept(delivery(n, 1))
			}
			return s
		},
		"evicted before a restart": func(s *setup) *setup { s.mustAccept(delivery(2, 1)); return s.restarted(2) },
		"over":                     func(s *setup) *setup { pass(31 * time.Minute); return s },
		"over before a restart":    func(s *setup) *setup { pass(31 * time.Minute); return s.restarted(3) },
	} {
		runInBubble(t, name, func(t *testing.T) {
			s := newSetup(t, new(backend))
			s.remembering(3)
			s.mustAccept(delivery(1, 1))
			pass(30 * time.Minute)
			second, _ := s.mustAccept(delivery(1, 2))
			s = leave(s)
			if id, taken := s.mustAccept(delivery(1, 2)); taken || id != second {
				t.Errorf("a copy of the second delivery is one of %v (taken: %v), want %v", id, taken, second)
			}
			if _, taken := s.mustAccept(delivery(1, 1)); !taken {
				t.Error("the first delivery is still known: the test shows nothing")
			}
			// There may be no room for both.
			if id, taken := s.mustAccept(delivery(1, 2)); strings.HasPrefix(name, "over") && (taken || id != second) {
				t.Errorf("beside another first delivery, a copy of the second is one of %v (taken: %v)", id, taken)
			}
		})
	}
}

// The log names both events, once a minute.
func TestConflictsAreLogged(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		core, logs := observer.New(zapcore.WarnLevel)
		cfg := s.config(map[string]*queue.Source{"shop": {
			Window: time.Hour, Entries: 1000, Routes: map[string]*queue.Route{"app": new(app).route()},
		}})
		cfg.Logger = zap.New(core)
		s.Attach(cfg)
		first, _ := s.mustAccept(delivery(1, 0))
		var second queue.ID
		for body := 1; body <= 5; body++ {
			id, _ := s.mustAccept(delivery(1, body))
			if body == 1 {
				second = id
			}
			pass(10 * time.Second)
		}
		all := logs.FilterMessageSnippet("another body").All()
		if len(all) != 1 {
			t.Fatalf("%d conflicts logged within a minute, want 1", len(all))
		}
		fields := all[0].ContextMap()
		if fields["source"] != "shop" || fields["event"] != second.String() || fields["first"] != first.String() {
			t.Errorf("logged %v, want events %v and %v", fields, second, first)
		}
		pass(10 * time.Second)
		s.mustAccept(delivery(1, 9))
		if n := logs.FilterMessageSnippet("another body").Len(); n != 2 {
			t.Errorf("%d conflicts logged after a minute, want 2", n)
		}
	})
}

// Whatever comes in whatever order, at once or after restarts, and whatever stores fail:
// each pair of ID and body is stored exactly once, and each copy is told of that event.
func TestEachPairIsStoredOnce(t *testing.T) {
	for seed := range uint64(20) {
		runInBubble(t, fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 12))
			s := newSetup(t, new(backend))
			s.remembering(1000)
			type pair struct{ n, body int }
			var mu sync.Mutex
			stored := make(map[pair]queue.ID)
			told := make(map[pair][]queue.ID)
			for range 10 {
				var all sync.WaitGroup
				for range 20 {
					p := pair{random.IntN(3), random.IntN(4)}
					wait, fails := time.Duration(random.IntN(4))*time.Millisecond, random.IntN(3) == 0
					all.Go(func() {
						time.Sleep(wait)
						if fails { // as if the store failed
							if f, _, _ := s.Enter(context.Background(), "shop", delivery(p.n, p.body)); f != nil {
								time.Sleep(2 * time.Millisecond)
								f.Release()
							}
							return
						}
						id, taken, err := s.accept(context.Background(), delivery(p.n, p.body))
						mu.Lock()
						defer mu.Unlock()
						switch _, known := stored[p]; {
						case err != nil:
							t.Error(err)
						case taken && known:
							t.Errorf("%v is stored twice", p)
						case taken:
							stored[p] = id
						default:
							told[p] = append(told[p], id)
						}
					})
				}
				all.Wait()
				if random.IntN(3) == 0 {
					s = s.restarted(1000)
				}
			}
			for p, ids := range told {
				for _, id := range ids {
					if id != stored[p] {
						t.Errorf("a copy of %v is said to be one of %v, want %v", p, id, stored[p])
					}
				}
			}
			events := 0
			if err := s.List(t.Context(), queue.ID{}, func(*queue.Event) bool { events++; return true }); err != nil {
				t.Fatal(err)
			}
			if events != len(stored) || len(stored) < 6 {
				t.Errorf("%d events in the store, %d were accepted", events, len(stored))
			}
		})
	}
}

// No ID has the key of a content, or of a delivery beside another one.
func TestKeysHaveDomains(t *testing.T) {
	body := queue.DigestBody([]byte("{}"))
	content := queue.ContentKey("shop", "/hook", "a=1", body)
	for _, id := range []string{
		"", "shop", "shop/hook" + "a=1" + string(body[:]), "\x02shop\x00/hook\x00a=1\x00{}",
		"\x02\x04shop\x05/hook\x03a=1\x10" + string(body[:]),
	} {
		if queue.IDKey(id) == content {
			t.Errorf("the ID %q has the key of a content", id)
		}
	}
	if queue.ContentKey("sho", "p/hook", "a=1", body) == content || queue.ContentKey("shop", "/hooka", "=1", body) == content {
		t.Error("where a part ends makes no difference")
	}
}
