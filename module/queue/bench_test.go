package queue_test

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue/disk"
)

// diskBackend is a directory that a disk store keeps its files in.
type diskBackend string

func (d diskBackend) Key() string       { return string(d) }
func (d diskBackend) MaxSize() int64    { return 1 << 40 }
func (d diskBackend) Apply(queue.Store) {}
func (d diskBackend) Open(logger *zap.Logger) (queue.Store, error) {
	return disk.Open(string(d), logger)
}

// benchEngine returns an engine with a source, shop.
func benchEngine(b *testing.B, source *queue.Source) *queue.Engine {
	b.Helper()
	store := diskBackend(b.TempDir())
	e, err := queue.NewEngine(store, zap.NewNop())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { e.Close() })
	e.Attach(&queue.Config{
		Backend:   store,
		Retention: queue.Retention{Done: time.Hour, Failed: time.Hour},
		Sources:   map[string]*queue.Source{"shop": source},
	})
	return e
}

// benchRoutes returns a route, app, to an app that takes no time.
func benchRoutes(got func(*queue.Event)) map[string]*queue.Route {
	return map[string]*queue.Route{"app": {
		Concurrency: 64, Timeout: time.Minute, Retry: queue.Backoff{For: time.Hour},
		Deliver: func(_ context.Context, ev *queue.Event, _ int) queue.Result {
			got(ev)
			return queue.Result{Outcome: queue.Succeeded}
		},
	}}
}

func benchEvent(body []byte) *queue.Event {
	now := time.Now()
	ev := &queue.Event{Source: "shop", ReceivedAt: now, Request: &queue.Request{Method: "POST", Body: body}}
	ev.ID, _ = queue.NewID()
	ev.SetRoutes([]string{"app"}, now)
	return ev
}

// An event from Enter to the end of its delivery.
func BenchmarkEvent(b *testing.B) {
	var delivered atomic.Int64
	all := make(chan struct{})
	e := benchEngine(b, &queue.Source{
		Window: time.Hour, Entries: 1_000_000,
		Routes: benchRoutes(func(*queue.Event) {
			if delivered.Add(1) == int64(b.N) {
				close(all)
			}
		}),
	})
	var last atomic.Int64
	body := make([]byte, 2<<10)
	b.SetParallelism(128)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			n := int(last.Add(1))
			flight, _, err := e.Enter(context.Background(), "shop", queue.Identity{Key: key(n), Body: queue.BodyDigest{1}})
			if err != nil {
				b.Error(err)
				return
			}
			ev := benchEvent(body)
			ev.Dedup = flight.Entry(ev.ID, ev.ReceivedAt.Add(time.Hour))
			if err := appendOne(context.Background(), e, ev); err != nil {
				b.Error(err)
			}
			flight.Keep(ev.ID, ev.Dedup.Until)
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appended/s")
	<-all
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "delivered/s")
}

// How long after its acceptance an event is tried, with senders that pause for
// 5 ms after each.
func BenchmarkDelay(b *testing.B) {
	for _, senders := range []int{1, 8, 32} {
		b.Run(strconv.Itoa(senders), func(b *testing.B) {
			delays := make(chan time.Duration, b.N)
			e := benchEngine(b, &queue.Source{Routes: benchRoutes(func(ev *queue.Event) { delays <- time.Since(ev.ReceivedAt) })})
			var left atomic.Int64
			left.Store(int64(b.N))
			body := make([]byte, 2<<10)
			var sending sync.WaitGroup
			b.ResetTimer()
			for range senders {
				sending.Go(func() {
					for ; left.Add(-1) >= 0; time.Sleep(5 * time.Millisecond) {
						if err := appendOne(context.Background(), e, benchEvent(body)); err != nil {
							b.Error(err)
						}
					}
				})
			}
			sending.Wait()
			all := make([]time.Duration, b.N)
			for i := range all {
				all[i] = <-delays
			}
			slices.Sort(all)
			b.ReportMetric(float64(all[b.N/2].Microseconds())/1000, "ms-median")
			b.ReportMetric(float64(all[b.N*99/100].Microseconds())/1000, "ms-p99")
		})
	}
}

// What the engine adds to a first copy that needs no store.
func BenchmarkEnter(b *testing.B) {
	e := benchEngine(b, &queue.Source{Window: time.Hour, Entries: 100_000})
	until := time.Now().Add(time.Hour)
	var n int
	b.ReportAllocs()
	for b.Loop() {
		n++
		flight, _, err := e.Enter(context.Background(), "shop", queue.Identity{Key: key(n)})
		if err != nil {
			b.Fatal(err)
		}
		flight.Keep(queue.ID{}, until)
	}
}
