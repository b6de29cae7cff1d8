package queue

import (
	"context"
	"sync"
	"time"
)

// freshness is how long it takes until the store is asked again for the oldest
// events: with a million of them that takes a fifth of a second.
const freshness = 5 * time.Second

// oldest remembers what the store said.
type oldest struct {
	mu    sync.Mutex
	ids   map[RouteKey]ID
	asked time.Time
}

// Age says since when an event has been waiting in a route.
type Age struct {
	State DeliveryState // Pending or Parked
	Since time.Time     // to the millisecond
}

// Oldest returns, for each route with events that wait for it, when the oldest
// of them was accepted. That may be known from some seconds ago.
func (e *Engine) Oldest(ctx context.Context) map[RouteKey]Age {
	queues := e.snapshot.Load().queues
	ages := make(map[RouteKey]Age)
	for route, id := range e.oldestIDs(ctx) {
		if route.Route == "" {
			continue // a held event
		}
		age := Age{State: Pending, Since: timeOf(id)}
		if queues[route] == nil {
			age.State = Parked
		}
		ages[route] = age
	}
	return ages
}

// timeOf returns when an ID was made, to the millisecond.
func timeOf(id ID) time.Time { return time.Unix(id.Time().UnixTime()) }

func (e *Engine) oldestIDs(ctx context.Context) map[RouteKey]ID {
	o := &e.oldest
	o.mu.Lock()
	defer o.mu.Unlock()
	if time.Since(o.asked) < freshness {
		return o.ids
	}
	ids, err := e.store.Oldest(ctx)
	if err != nil {
		e.complain("looking for the oldest events", err)
		return o.ids
	}
	o.ids, o.asked = ids, time.Now()
	return ids
}
