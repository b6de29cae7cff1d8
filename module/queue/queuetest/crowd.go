package queuetest

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// testConcurrency has many goroutines append, deliver, list and expire at the same time.
func testConcurrency(h *harness) {
	const appenders, each = 16, 20
	ctx := h.bounded()
	var delivered atomic.Int64
	var wg sync.WaitGroup
	for range appenders {
		wg.Go(func() {
			for range each {
				if err := Append(ctx, h.Store, NewEvent(h, "github", start, "app")); err != nil {
					h.Error(err)
					return
				}
			}
		})
	}
	for range 4 {
		wg.Go(func() {
			for delivered.Load() < appenders*each && ctx.Err() == nil {
				events, _, err := h.Claim(ctx, app, start, time.Hour, 8)
				if err != nil {
					h.Error(err)
					return
				}
				if len(events) == 0 {
					runtime.Gosched()
				}
				for _, e := range events {
					err := h.Update(ctx, e.ID, func(e *queue.Event) error {
						if e.Deliveries[0].State != queue.Pending {
							return errors.New("delivered twice")
						}
						deliver(queue.Delivered, start)(e)
						return nil
					})
					if err != nil {
						h.Error(err)
						return
					}
					delivered.Add(1)
				}
			}
		})
	}
	wg.Go(func() {
		for delivered.Load() < appenders*each && ctx.Err() == nil {
			if err := h.List(ctx, queue.ID{}, func(*queue.Event) bool { return true }); err != nil {
				h.Error(err)
				return
			}
			h.Usage()
			h.Undelivered("github")
			if err := h.Expire(ctx, start, forever); err != nil {
				h.Error(err)
				return
			}
		}
	})
	wg.Wait()
	h.no(ctx.Err())
	if n := h.Usage().Deliveries[app][queue.Delivered]; n != appenders*each {
		h.Fatalf("%d deliveries are delivered, want %d", n, appenders*each)
	}
	h.addsUp()
}

// testExclusive has goroutines compete for a few events, which become due again and
// again. No two goroutines have a lease for the same due time of an event, and nobody
// gets one after an update has ended that turn.
func testExclusive(h *harness) {
	const turns = 120
	type turn struct {
		id  queue.ID
		due int64
	}
	ctx := h.bounded()
	h.fill(3, "app")
	now := start.Add(time.Hour)
	var mu sync.Mutex
	held, ended := map[queue.ID]bool{}, map[turn]bool{}
	claim := func(e *queue.Event) {
		mu.Lock()
		defer mu.Unlock()
		if held[e.ID] {
			h.Errorf("event %s is claimed twice", e.ID)
		}
		if ended[turn{e.ID, e.Deliveries[0].Due.UnixNano()}] {
			h.Errorf("event %s is claimed after its turn", e.ID)
		}
		held[e.ID] = true
	}
	end := func(e *queue.Event) {
		mu.Lock()
		defer mu.Unlock()
		held[e.ID] = false
		ended[turn{e.ID, e.Deliveries[0].Due.UnixNano()}] = true
	}
	free := func(id queue.ID) {
		mu.Lock()
		defer mu.Unlock()
		held[id] = false
	}
	work := func() error {
		events, _, err := h.Claim(ctx, app, now, time.Hour, 2)
		if err != nil {
			return err
		}
		if len(events) == 0 {
			runtime.Gosched()
		}
		for i, e := range events {
			claim(e)
			if i == 1 {
				free(e.ID)
				h.Release(app, e.ID)
				continue
			}
			err := h.Update(ctx, e.ID, func(e *queue.Event) error {
				end(e)
				e.Deliveries[0].Due = e.Deliveries[0].Due.Add(time.Second)
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				mu.Lock()
				enough := len(ended) >= turns
				mu.Unlock()
				if enough {
					return
				}
				if err := work(); err != nil {
					h.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	h.no(ctx.Err())
}
