package queue_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue/memory"
)

// sized returns an event that takes a little more than size bytes.
func sized(t *testing.T, source string, size int) *queue.Event {
	e := newEvent(t, source, "app")
	e.Request.Body = make([]byte, size)
	return e
}

// fill appends events until one is refused, and returns how many were taken.
func (s *setup) fill(source string, size int) (n int) {
	s.t.Helper()
	for settled := false; ; {
		switch err := appendOne(s.t.Context(), s.Engine, sized(s.t, source, size)); {
		case errors.Is(err, queue.ErrFull) && settled:
			return n
		case errors.Is(err, queue.ErrFull): // what is just being stored counts twice
			s.Usage()
			settled = true
		case err != nil:
			s.t.Fatal(err)
		default:
			n++
			settled = false
		}
	}
}

func TestSpace(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const kib = 1 << 10
		s := newSetup(t, &backend{Backend: &memory.Backend{Max: 100 * kib}})
		door := make(gate)
		a := app{answer: door.pass}
		routes := map[string]*queue.Route{"app": a.route()}
		s.Attach(s.config(map[string]*queue.Source{
			"dead":  {Routes: routes},
			"other": {Routes: routes},
			"once":  {Routes: routes, LastToRefuse: true},
		}))
		// A little under 50, 90 and 100 KiB: events take more than their bodies.
		if n := s.fill("dead", kib); n < 35 || n > 49 {
			t.Errorf("one source took %d KiB of 100", n)
		}
		s.fill("other", kib)
		if _, all := s.Undelivered(); all > 90*kib || all < 85*kib {
			t.Errorf("sources whose provider tries again took %d bytes together", all)
		}
		if n := s.fill("once", kib); n < 5 {
			t.Errorf("the source whose provider does not try again took %d events more", n)
		}
		if _, all := s.Undelivered(); all > 100*kib {
			t.Errorf("all sources took %d bytes", all)
		}
		door.open()
		eventually(t, "space", func() bool { return appendOne(t.Context(), s.Engine, sized(t, "dead", kib)) == nil })
	})
}

// Undelivered returns how many events there are, and how many bytes they take.
func (s *setup) Undelivered() (count, bytes int64) {
	for _, states := range s.Usage().Events {
		for _, counter := range states {
			count += counter.Count
			bytes += counter.Bytes
		}
	}
	return count, bytes
}

// Many appends are committed together: the size of the store says little about how much
// has been admitted.
func TestSpaceIsReserved(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const limit = 100 << 10
		s := newSetup(t, &backend{Backend: &memory.Backend{Max: limit}})
		s.Attach(s.config(map[string]*queue.Source{"shop": {}}))
		var stored, refused atomic.Int32
		var all sync.WaitGroup
		start := make(chan struct{})
		for range 64 {
			e := sized(t, "shop", 4<<10)
			all.Go(func() {
				<-start
				switch err := appendOne(context.Background(), s.Engine, e); {
				case err == nil:
					stored.Add(1)
				case errors.Is(err, queue.ErrFull):
					refused.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		close(start)
		all.Wait()
		if _, bytes := s.Undelivered(); bytes > limit/2 || stored.Load() == 0 {
			t.Errorf("%d events of %d bytes were stored, %d refused", stored.Load(), bytes, refused.Load())
		}
		// The reserved space is free again.
		if int(stored.Load())+s.fill("shop", 4<<10) < 10 {
			t.Error("reservations outlive their appends")
		}
	})
}

// The events of one request are admitted together, and delivered one by one.
func TestAppendTogether(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, &backend{Backend: &memory.Backend{Max: 100 << 10}})
		var a app
		s.idle(a.route())
		if _, err := s.Append(t.Context(), parts(t, 60)); !errors.Is(err, queue.ErrFull) {
			t.Fatalf("60 KiB of 50: %v", err)
		}
		if n, _ := s.Undelivered(); n != 0 {
			t.Fatalf("%d of the refused events are stored", n)
		}
		events := parts(t, 40)
		if results, err := s.Append(t.Context(), events); err != nil || results != nil {
			t.Fatal(results, err)
		}
		for _, e := range events {
			s.ended(e.ID)
		}
		if n := a.count(); n != 40 {
			t.Errorf("%d attempts of 40 events", n)
		}
	})
}

// parts returns the events of one request, of 1 KiB each.
func parts(t *testing.T, n int) (events []*queue.Event) {
	for i := range n {
		e := sized(t, "shop", 1<<10)
		e.Part = queue.Part{Number: i + 1, Of: n}
		events = append(events, e)
	}
	return events
}

// shared is a store that holds the dedup key of the second event already.
type shared struct{ queue.Store }

func (s shared) Append(ctx context.Context, events []*queue.Event, visible func()) ([]*queue.Duplicate, error) {
	results := make([]*queue.Duplicate, len(events))
	results[1] = &queue.Duplicate{ID: events[0].ID}
	_, err := s.Store.Append(ctx, slices.Delete(slices.Clone(events), 1, 2), visible)
	return results, err
}

// What the store holds already is not delivered, and takes no space.
func TestAppendDuplicates(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, &backend{Backend: &memory.Backend{Max: 10 << 10}, wrap: func(store queue.Store) queue.Store { return shared{store} }})
		var a app
		s.idle(a.route())
		for round := 1; round < 10; round++ {
			events := parts(t, 3)
			results, err := s.Append(t.Context(), events)
			if err != nil || results[0] != nil || results[1].ID != events[0].ID || results[2] != nil {
				t.Fatal(results, err)
			}
			s.ended(events[0].ID)
			s.ended(events[2].ID)
			if n := a.count(); n != 2*round {
				t.Fatalf("%d attempts of %d events", n, 2*round)
			}
		}
	})
}

func TestAppendOutlivesItsSender(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		e := newEvent(t, "shop", "app")
		if err := appendOne(ctx, s.Engine, e); err != nil {
			t.Fatal(err)
		}
		s.get(e.ID)
	})
}

func TestRevive(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		var down atomic.Bool
		down.Store(true)
		a := app{answer: func(context.Context, *queue.Event, int) queue.Result {
			if down.Load() {
				return queue.Result{Outcome: queue.Refused, Status: 404, Reason: "404 Not Found"}
			}
			return queue.Result{Outcome: queue.Succeeded}
		}}
		var well app
		s.Attach(s.config(map[string]*queue.Source{"shop": {
			Routes: map[string]*queue.Route{"app": a.route(), "well": well.route()},
		}}))
		id := s.append(newEvent(t, "shop", "app", "well"))
		dead := s.ended(id).Delivery("app")
		if dead.State != queue.Dead || dead.Reason != "404 Not Found" || dead.Status != 404 || dead.Attempts != 1 {
			t.Fatalf("refused delivery: %+v", dead)
		}
		down.Store(false)
		pass(time.Millisecond)
		if n, err := s.Revive(t.Context(), id); n != 1 || err != nil {
			t.Fatalf("revived %d, %v", n, err)
		}
		d := s.ended(id).Delivery("app")
		if d.State != queue.Delivered || d.Attempts != 1 || !d.Queued.After(dead.Queued) || d.Reason != "" {
			t.Errorf("revived delivery: %+v", d)
		}
		if n, err := s.Revive(t.Context(), id); n != 0 || err != nil {
			t.Errorf("revived %d of an event that is well, %v", n, err)
		}
		if n, err := s.Revive(t.Context(), queue.ID{1}); n != 0 || err != nil {
			t.Errorf("revived %d of an event that is gone, %v", n, err)
		}
		if a.count() != 2 || well.count() != 1 {
			t.Errorf("%d and %d attempts", a.count(), well.count())
		}
		eventually(t, "the report of the dead delivery", func() (seen bool) {
			s.watch.see(func() { seen = len(s.watch.dead) == 1 })
			return seen
		})
	})
}

// A delivery that is revived the moment it dies, while the attempt that killed it
// is still being ended, must not be stuck behind that attempt.
func TestReviveAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const times = 50
		var s *setup
		var id queue.ID
		var revived atomic.Int32
		b := &backend{wrap: func(st queue.Store) queue.Store {
			return &faulty{Store: st, updated: func() {
				if revived.Load() == times {
					return
				}
				n, err := s.Revive(context.Background(), id)
				if err != nil {
					t.Error(err)
				}
				revived.Add(int32(n))
			}}
		}}
		s = newSetup(t, b)
		a := app{answer: failing(queue.Result{Outcome: queue.Refused})}
		s.attach(a.route())
		e := newEvent(t, "shop", "app")
		id = e.ID
		s.append(e)
		s.ended(id)
		if a.count() != times+1 || revived.Load() != times {
			t.Errorf("%d attempts after %d revivals", a.count(), revived.Load())
		}
	})
}
