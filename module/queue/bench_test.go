package queue_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// An event from Enter to the end of its delivery, to an app that takes no time.
func BenchmarkEvent(b *testing.B) {
	e, err := queue.NewEngine(&backend{dir: b.TempDir(), maxSize: 1 << 40}, zap.NewNop())
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	var delivered atomic.Int64
	all := make(chan struct{})
	e.Attach(&queue.Config{
		Backend:   &backend{maxSize: 1 << 40},
		Retention: queue.Retention{Done: time.Hour, Failed: time.Hour},
		Sources: map[string]*queue.Source{"shop": {
			Window: time.Hour, Entries: 1_000_000,
			Routes: map[string]*queue.Route{"app": {
				Concurrency: 64, Timeout: time.Minute, For: time.Hour,
				Deliver: func(context.Context, *queue.Event, int) queue.Result {
					if delivered.Add(1) == int64(b.N) {
						close(all)
					}
					return queue.Result{Outcome: queue.Succeeded}
				},
			}},
		}},
	})
	var last atomic.Int64
	body := make([]byte, 2<<10)
	b.SetParallelism(128)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			now := time.Now()
			k := key(int(last.Add(1)))
			flight, _, err := e.Enter(context.Background(), "shop", k, 0)
			if err != nil {
				b.Error(err)
				return
			}
			ev := &queue.Event{Source: "shop", ReceivedAt: now, Request: &queue.Request{Method: "POST", Body: body}}
			ev.ID, _ = queue.NewID()
			ev.Dedup = queue.Dedup{Key: k, Until: now.Add(time.Hour)}
			ev.SetRoutes([]string{"app"}, now)
			if err := e.Append(context.Background(), ev); err != nil {
				b.Error(err)
			}
			flight.Keep(ev.ID, ev.Dedup.Until)
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appended/s")
	<-all
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "delivered/s")
}

// What the engine adds to a first copy that needs no store.
func BenchmarkEnter(b *testing.B) {
	e, err := queue.NewEngine(&backend{dir: b.TempDir(), maxSize: 1 << 40}, zap.NewNop())
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	e.Attach(&queue.Config{
		Backend: &backend{},
		Sources: map[string]*queue.Source{"login": {Window: time.Hour, Entries: 100_000}},
	})
	until := time.Now().Add(time.Hour)
	var n int
	b.ReportAllocs()
	for b.Loop() {
		n++
		flight, _, err := e.Enter(context.Background(), "login", key(n), 0)
		if err != nil {
			b.Fatal(err)
		}
		flight.Keep(queue.ID{}, until)
	}
}
