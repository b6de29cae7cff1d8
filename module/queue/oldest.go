package queue

import (
	"context"
	"sync"
	"time"
)

// freshness is how long the engine goes by one answer of the store about the oldest
// events. With a million events an answer takes a fifth of a second.
const freshness = 5 * time.Second

// oldest is the last answer of the store.
type oldest struct {
	mu    sync.Mutex
	ids   map[RouteKey]ID
	asked time.Time
}

// Age says since when an event has been waiting for a route.
type Age struct {
	State DeliveryState // Pending or Parked
	Since time.Time     // to the millisecond
}

// Oldest returns when the oldest event was accepted that waits for a route, for each
// route with such events. The answer may be some seconds old.
func (e *Engine) Oldest(ctx context.Context) map[RouteKey]Age {
	queues := e.snapshot.Load().queues
	ages := make(map[RouteKey]Age)
	for route, id := range e.oldestIDs(ctx) {
		if route.Route == "" {
			continue // held events wait for their check
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
