package queue_test

import (
	"errors"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue/memory"
)

// tidy has the janitor come often.
func tidy(p *queue.Timing) { p.Sweep = 10 * time.Millisecond }

func TestJanitorRemovesWhatWasKeptLongEnough(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend), tidy)
		done, dead := app{}, app{answer: failing(queue.Result{Outcome: queue.Refused})}
		cfg := s.config(map[string]*queue.Source{"shop": {
			Routes: map[string]*queue.Route{"done": done.route(), "dead": dead.route()},
		}})
		cfg.Retention.Done = 50 * time.Millisecond
		s.Attach(cfg)
		kept := s.append(newEvent(t, "shop", "done", "dead"))
		waiting := s.append(newEvent(t, "shop", "done", "nowhere"))
		s.gone(s.append(newEvent(t, "shop", "done")))
		s.ended(kept)
		s.get(waiting)
	})
}

func TestJanitorEndsWhatIsParkedTooLong(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend), tidy)
		old := newEvent(t, "shop", "gone", "app")
		old.Deliveries[0].Due = time.Now().Add(-2 * time.Hour)
		id, young := s.append(old), s.append(newEvent(t, "shop", "gone", "app"))
		var a app
		s.attach(a.route())
		e := s.ended(id)
		if d := e.Delivery("gone"); d.State != queue.Dead || d.Reason != "parked for 1h0m0s" || d.Ended.Before(e.ReceivedAt) {
			t.Errorf("delivery that was parked for two hours: %+v", d)
		}
		eventually(t, "the other delivery", func() bool { return s.get(young).Delivery("app").State == queue.Delivered })
		if d := s.get(young).Delivery("gone"); d.State != queue.Pending {
			t.Errorf("delivery that was parked just now: %+v", d)
		}
	})
}

func TestJanitorEndsHeldEvents(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend), tidy)
		e := newEvent(t, "sign")
		e.State, e.Check = queue.Held, queue.Check{Due: time.Now().Add(-2 * time.Hour)}
		s.append(e)
		s.attach(new(app).route())
		if e := s.ended(e.ID); e.State != queue.Uncertain || e.Check.Reason != "parked for 1h0m0s" {
			t.Errorf("event: %+v", e)
		}
	})
}

func TestJanitorEvictsWhenSpaceIsShort(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, &backend{Backend: &memory.Backend{Max: 40 << 10}}, tidy)
		var a app
		s.attach(a.route())
		var ids []queue.ID
		for range 20 {
			e := sized(t, "shop", 4<<10)
			s.append(e)
			s.delivered(e.ID)
			ids = append(ids, e.ID)
		}
		s.gone(ids[0])
		eventually(t, "space", func() bool { return s.Usage().Total.Bytes <= 40<<10 })
		s.get(ids[19])
	})
}

// delivered waits until an event is delivered, or even removed again.
func (s *setup) delivered(id queue.ID) {
	s.t.Helper()
	eventually(s.t, "the delivery", func() bool {
		e, err := s.Get(s.t.Context(), id)
		return errors.Is(err, queue.ErrNotFound) || err == nil && e.Deliveries[0].State == queue.Delivered
	})
}
