package queue_test

import (
	"context"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// What the gateway cannot send says nothing of the destination: events with a reason of
// their own not to be sent neither stop the route for others nor make a failing one well.
func TestUnsent(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		unsent := queue.Result{Outcome: queue.Retry, Reason: "signing: no secret", Unsent: true}
		a := &app{answer: func(_ context.Context, e *queue.Event, _ int) queue.Result {
			if e.Type == "unsent" {
				return unsent
			}
			return unavailable
		}}
		r := a.route()
		r.Retry = backoff(time.Hour, time.Minute, time.Minute)
		s.attach(r)
		bad := func() {
			e := newEvent(t, "shop", "app")
			e.Type = "unsent"
			s.append(e)
		}
		for range 10 {
			bad()
		}
		pass(time.Second)
		if a.count() < 10 || s.Failing()[shopApp] { // pauses vary, so some are tried again
			t.Fatalf("%d attempts; the route is failing: %v", a.count(), s.Failing()[shopApp])
		}
		for range 5 {
			s.append(newEvent(t, "shop", "app"))
			unsent.Outcome = queue.Refused
			bad()
			pass(time.Second)
		}
		if !s.Failing()[shopApp] {
			t.Error("five failures do not make the route a failing one, for what was not sent between them")
		}
	})
}
