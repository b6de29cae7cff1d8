package queue_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// acceptAll takes the events of a request the way a request does, and returns how many of
// them are new.
func (s *setup) acceptAll(ctx context.Context, deliveries ...queue.Identity) (int, error) {
	entered, err := s.EnterAll(ctx, "shop", deliveries)
	if err != nil {
		return 0, err
	}
	defer queue.ReleaseAll(entered)
	var events []*queue.Event
	var flights []*queue.Flight
	for i, x := range entered {
		if x.Flight == nil {
			continue
		}
		e := newEvent(s.t, "shop", "app")
		e.Part = queue.Part{Number: i + 1, Of: len(deliveries)}
		e.Dedup = x.Flight.Entry(e.ID, time.Now().Add(time.Hour))
		events, flights = append(events, e), append(flights, x.Flight)
	}
	if events == nil {
		return 0, nil
	}
	if _, err := s.Append(ctx, events); err != nil {
		return 0, err
	}
	for i, e := range events {
		flights[i].Keep(e.ID, e.Dedup.Until)
	}
	return len(events), nil
}

func TestEnterAll(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		s.remembering(1000)
		for _, test := range []struct {
			deliveries []queue.Identity
			stored     int
		}{
			{[]queue.Identity{delivery(2, 1), delivery(1, 1), delivery(2, 1)}, 2}, // equal ones are one
			{[]queue.Identity{delivery(1, 1), delivery(2, 2), delivery(3, 1)}, 2}, // another body
			{[]queue.Identity{delivery(3, 1), delivery(2, 2), delivery(2, 1)}, 0},
			{[]queue.Identity{{}, {}}, 2}, // which nothing tells
		} {
			if n, err := s.acceptAll(t.Context(), test.deliveries...); err != nil || n != test.stored {
				t.Errorf("%d of %v are stored, want %d: %v", n, test.deliveries, test.stored, err)
			}
		}
	})
}

// Requests that carry the same deliveries in another order do not wait for each other.
func TestEnterAllInAnyOrder(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		s.remembering(1000)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		for round := range 40 {
			a, b := queue.Identity{Key: key(2 * round)}, queue.Identity{Key: key(2*round + 1)}
			first := s.enter(2*round + 1)
			stored := make(chan int)
			for _, request := range [][]queue.Identity{{a, b}, {b, a}} {
				go func() {
					n, err := s.acceptAll(ctx, request...)
					if err != nil {
						t.Error(err)
					}
					stored <- n
				}()
			}
			synctest.Wait() // both wait
			first.Release()
			if n := <-stored + <-stored; n != 2 {
				t.Fatalf("%d of 2 events are stored", n)
			}
		}
	})
}

// Who goes away while it waits for another request leaves nothing behind.
func TestEnterAllIsGivenUp(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		s.remembering(1000)
		flight := s.enter(2)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		all := []queue.Identity{{Key: key(3)}, {Key: key(2)}, {Key: key(1)}}
		if _, err := s.EnterAll(ctx, "shop", all); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		flight.Release()
		if n, err := s.acceptAll(t.Context(), all...); err != nil || n != 3 {
			t.Errorf("%d of 3 are stored: %v", n, err)
		}
	})
}
