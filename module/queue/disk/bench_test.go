package disk

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// benchEvent returns an event that waits to be delivered.
func benchEvent() (*queue.Event, error) {
	id, err := queue.NewID()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &queue.Event{
		ID: id, Source: "github", Provider: "github", Type: "push", DeliveryID: id.String(),
		ReceivedAt: now, State: queue.Routed,
		Dedup:      queue.Dedup{Identity: queue.Identity{Key: queue.DedupKey(id), Body: queue.BodyDigest(id)}, Until: now.Add(time.Hour)},
		Deliveries: []queue.Delivery{{Route: "app", State: queue.Pending, Queued: now, Due: now}},
		Request: &queue.Request{
			Method: "POST", Host: "hooks.example.com", URI: "/github", Proto: "HTTP/2.0",
			RemoteAddr: "192.0.2.1:4711", ClientIP: "192.0.2.1", TLS: true,
			Header: map[string][]string{
				"Content-Type":        {"application/json"},
				"User-Agent":          {"GitHub-Hookshot/abcdef0"},
				"X-Github-Event":      {"push"},
				"X-Hub-Signature-256": {"sha256=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
			},
			Body: bytes.Repeat([]byte("x"), 2<<10),
		},
	}, nil
}

func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 8, 64, 256} {
		b.Run(fmt.Sprintf("%d", writers), func(b *testing.B) {
			s, err := Open(b.TempDir(), zap.NewNop())
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			for range writers {
				wg.Go(func() {
					for next.Add(1) <= int64(b.N) {
						e, err := benchEvent()
						if err != nil {
							b.Error(err)
							return
						}
						if err := appendOne(b.Context(), s, e, func() {}); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(b.N)/float64(s.transactions.Load()), "events/commit")
		})
	}
}

// appendMany appends 1024 events.
func appendMany(b *testing.B, s *Store) (events [1024]*queue.Event) {
	var wg sync.WaitGroup
	for i := range events {
		wg.Go(func() {
			e, err := benchEvent()
			if err == nil {
				err = appendOne(b.Context(), s, e, func() {})
			}
			if err != nil {
				b.Error(err)
			}
			events[i] = e
		})
	}
	wg.Wait()
	return events
}

// An event whose delivery ends or is replayed, by one of 64 callers.
func BenchmarkUpdate(b *testing.B) {
	s, err := Open(b.TempDir(), zap.NewNop())
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	events := appendMany(b, s)
	toggle := func(e *queue.Event) error {
		d := &e.Deliveries[0]
		if d.State == queue.Pending {
			d.State, d.Ended, d.Attempts, d.Status = queue.Delivered, time.Now(), 1, 200
		} else {
			d.State, d.Due, d.Attempts = queue.Pending, time.Now(), 0
		}
		return nil
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range 64 {
		wg.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				if err := s.Update(b.Context(), events[n%1024].ID, toggle); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// One of 64 events that are claimed at once, and its release.
func BenchmarkClaim(b *testing.B) {
	s, err := Open(b.TempDir(), zap.NewNop())
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	appendMany(b, s)
	route := queue.RouteKey{Source: "github", Route: "app"}
	var claimed []*queue.Event
	claim := func() {
		for _, e := range claimed {
			s.Release(route, e.ID)
		}
		if claimed, _, err = s.Claim(b.Context(), route, time.Now(), time.Minute, 64); err != nil {
			b.Fatal(err)
		}
	}
	for deadline := time.Now().Add(time.Minute); len(claimed) < 64; time.Sleep(time.Millisecond) {
		if claim(); time.Now().After(deadline) {
			b.Fatalf("only %d of 1024 events are due", len(claimed))
		}
	}
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if n%64 == 0 {
			claim()
		}
	}
}
