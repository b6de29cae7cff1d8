package queue_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// ordered returns an event for app that has a key.
func ordered(t *testing.T, key string) *queue.Event {
	t.Helper()
	e := newEvent(t, "shop", "app")
	e.Type, e.Deliveries[0].Key = key, key
	return e
}

var refused = queue.Result{Outcome: queue.Refused, Status: 400, Reason: "400 Bad Request"}

// Deliveries with one key go one at a time and in the order of their acceptance, whatever
// their outcomes. Deliveries with different keys go side by side.
func TestKeysKeepOrder(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const keys, each = 5, 40
		s := newSetup(t, new(backend))
		var mu sync.Mutex
		running, together := make(map[string]int), 0
		ended := make(map[string][]queue.ID)
		a := app{answer: func(_ context.Context, e *queue.Event, _ int) queue.Result {
			mu.Lock()
			running[e.Type]++
			if running[e.Type] > 1 {
				t.Errorf("two attempts with the key %s at once", e.Type)
			}
			together = max(together, len(running))
			mu.Unlock()
			time.Sleep(time.Millisecond)
			result := []queue.Result{unavailable, refused, {Outcome: queue.Succeeded}, {Outcome: queue.Succeeded}}[rand.IntN(4)]
			mu.Lock()
			defer mu.Unlock()
			if delete(running, e.Type); result.Outcome != queue.Retry {
				ended[e.Type] = append(ended[e.Type], e.ID)
			}
			return result
		}}
		s.attach(a.route())
		accepted := make(map[string][]queue.ID)
		for i := range keys * each {
			key := fmt.Sprint("key", i%keys)
			accepted[key] = append(accepted[key], s.append(ordered(t, key)))
			if i == keys*each/2 {
				s.attach(a.route())
			}
		}
		for _, ids := range accepted {
			s.ended(ids[each-1])
		}
		mu.Lock()
		defer mu.Unlock()
		for key, ids := range accepted {
			if !slices.Equal(ended[key], ids) {
				t.Errorf("%s: accepted %v, ended %v", key, ids, ended[key])
			}
		}
		if together < 2 {
			t.Error("no two keys went side by side")
		}
	})
}

// A retry blocks its key only.
func TestRetryBlocksItsKey(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		a := app{answer: func(_ context.Context, e *queue.Event, _ int) queue.Result {
			if e.Type == "slow" {
				return unavailable
			}
			return queue.Result{Outcome: queue.Succeeded}
		}}
		r := a.route()
		r.Retry = backoff(time.Hour, time.Hour, time.Hour)
		s.attach(r)
		first, second := s.append(ordered(t, "slow")), s.append(ordered(t, "slow"))
		s.tried(first)
		s.ended(s.append(ordered(t, "quick")))
		s.ended(s.append(ordered(t, "quick")))
		if d := s.get(second).Delivery("app"); d.Attempts != 0 {
			t.Errorf("the second one with the key: %+v", d)
		}
	})
}

func TestDeadLetterHoldsItsKey(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for _, hold := range []bool{false, true} {
			s := newSetup(t, new(backend))
			var mu sync.Mutex
			broken := true
			a := app{answer: func(context.Context, *queue.Event, int) queue.Result {
				mu.Lock()
				defer mu.Unlock()
				if broken {
					broken = false
					return refused
				}
				return queue.Result{Outcome: queue.Succeeded}
			}}
			r := a.route()
			r.Hold = hold
			s.attach(r)
			first, second := s.append(ordered(t, "a")), s.append(ordered(t, "a"))
			if d := s.ended(first).Delivery("app"); d.State != queue.Dead || d.Holds != hold {
				t.Errorf("hold %t: %+v", hold, d)
			}
			s.ended(s.append(ordered(t, "b")))
			if hold {
				if d := s.get(second).Delivery("app"); d.Attempts != 0 {
					t.Errorf("behind a dead letter that holds the key: %+v", d)
				}
			} else {
				s.ended(second)
			}
			if n, err := s.Revive(t.Context(), first); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			if d := s.ended(first).Delivery("app"); d.State != queue.Delivered || d.Key != "a" || d.Holds {
				t.Errorf("hold %t, revived: %+v", hold, d)
			}
			s.ended(second)
			mu.Lock()
			got := slices.Index(a.got[1:], first) < slices.Index(a.got[1:], second)
			mu.Unlock()
			if got != hold {
				t.Errorf("hold %t: the app got %v, the first one is %s", hold, a.got, first)
			}
		}
	})
}

// A delivery on a failing route that is given up holds its key like other dead letters.
func TestHoldAfterGivingUp(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		a := app{answer: failing(unavailable)}
		r := a.route()
		r.Hold = true
		s.appendMany(20)
		id := s.append(ordered(t, "a"))
		r.Retry = backoff(400*time.Millisecond, 20*time.Millisecond, time.Minute)
		s.attach(r)
		if d := s.ended(id).Delivery("app"); !d.Holds || d.Attempts != 0 {
			t.Errorf("given up: %+v", d)
		}
	})
}

// So does one that was tried. The deliveries behind it are left to the operator.
func TestHoldAfterTryingLongEnough(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend), tidy)
		answer := unavailable
		answer.RetryAfter = time.Hour
		a := app{answer: failing(answer)}
		r := a.route()
		r.Hold, r.Retry = true, backoff(500*time.Millisecond, time.Millisecond, 10*time.Millisecond)
		first, second := s.append(ordered(t, "a")), s.append(ordered(t, "a"))
		last := s.appendMany(20)[19]
		s.attach(r)
		if d := s.ended(first).Delivery("app"); d.State != queue.Dead || !d.Holds || d.Attempts != 1 {
			t.Errorf("tried, and given up: %+v", d)
		}
		s.ended(last)
		if d := s.get(second).Delivery("app"); d.State != queue.Pending || d.Attempts != 0 {
			t.Errorf("behind it: %+v", d)
		}
	})
}

func TestHeldEventGetsItsKey(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		a := api{answers: []queue.Verdict{genuine}}
		var destination app
		door := make(gate)
		destination.answer = door.pass
		route := destination.route()
		route.Key = func(e *queue.Event) string { return string(e.Request.Body[:1]) }
		s.Attach(s.config(map[string]*queue.Source{"sign": {
			Routes: map[string]*queue.Route{"app": route, "other": destination.route()},
			Check:  a.check,
			Route:  func(*queue.Event) []string { return []string{"app", "other"} },
		}}))
		var ids []queue.ID
		for range 2 {
			e := newEvent(t, "sign")
			e.Request.Body = []byte("key")
			if _, err := s.Hold(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			ids = append(ids, e.ID)
		}
		eventually(t, "attempts", func() bool { return destination.count() >= 3 })
		pass(5 * time.Second)
		if n := destination.count(); n != 3 { // two to other, one to app
			t.Errorf("%d attempts at once", n)
		}
		for _, id := range ids {
			if e := s.get(id); e.Delivery("app").Key != "k" || e.Delivery("other").Key != "" {
				t.Errorf("keys: %+v", e.Deliveries)
			}
		}
		door.open()
		s.ended(ids[1])
	})
}

// What an operator can do with a dead letter that holds its key, and with a delivery
// behind it.
func TestOperatingOnKeys(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		u := newUpstream()
		u.answer = func(context.Context, *queue.Event, int) queue.Result {
			if u.up.Load() {
				return queue.Result{Outcome: queue.Succeeded, Status: 200}
			}
			return refused
		}
		r, other := u.route(), new(app)
		r.Hold = true
		s.Attach(s.config(map[string]*queue.Source{"shop": {
			Routes: map[string]*queue.Route{"app": r, "other": other.route()},
		}}))
		ids := make([]queue.ID, 4)
		for i := range ids {
			ids[i] = s.append(ordered(t, "a"))
		}
		any := func(*queue.Delivery, queue.DeliveryState) bool { return true }
		s.ended(ids[0])
		if n, err := s.operate(ids[1], queue.Drop{Pick: any}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		if d := s.get(ids[1]).Delivery("app"); d.Holds || d.Attempts != 0 {
			t.Errorf("dropped: %+v", d)
		}
		pass(5 * time.Second)
		if d := s.get(ids[2]).Delivery("app"); d.Attempts != 0 {
			t.Errorf("behind the dead letter that holds the key: %+v", d)
		}
		// Dropped, it lets the next delivery go, which dies and holds the key again.
		if n, err := s.operate(ids[0], queue.Drop{Pick: any}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		if d := s.ended(ids[2]).Delivery("app"); !d.Holds {
			t.Errorf("the next one: %+v", d)
		}
		// Replayed, that one goes before later ones.
		u.up.Store(true)
		s.replayed(ids[2], queue.Replay{Pick: any}, 1)
		s.ended(ids[3])
		if d := s.get(ids[2]).Delivery("app"); d.State != queue.Delivered || d.Holds {
			t.Errorf("replayed: %+v", d)
		}
		// On another route it has the key for that route.
		s.replayed(ids[0], queue.Replay{Pick: any, To: []string{"other"}, Keys: map[string]string{"other": "b"}}, 1)
		if d := s.ended(ids[0]).Delivery("other"); d.Key != "b" {
			t.Errorf("replayed elsewhere: %+v", d)
		}
	})
}
