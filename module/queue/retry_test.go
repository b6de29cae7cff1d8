package queue_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

func TestRetry(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		var numbers []int
		a := app{answer: func(_ context.Context, _ *queue.Event, attempt int) queue.Result {
			numbers = append(numbers, attempt)
			if attempt < 4 {
				return unavailable
			}
			return queue.Result{Outcome: queue.Succeeded, Status: 201}
		}}
		s.attach(a.route())
		d := s.ended(s.append(newEvent(t, "shop", "app"))).Delivery("app")
		if d.State != queue.Delivered || d.Attempts != 4 || d.Status != 201 || d.Reason != "" || d.Ended.IsZero() {
			t.Errorf("delivery: %+v", d)
		}
		if !slices.Equal(numbers, []int{1, 2, 3, 4}) {
			t.Errorf("attempts had the numbers %v", numbers)
		}
	})
}

func TestPauses(t *testing.T) {
	b := queue.Backoff{First: 5 * time.Second, Max: time.Hour}
	for number, limit := range map[int]time.Duration{
		1: 5 * time.Second, 2: 10 * time.Second, 5: 80 * time.Second, 11: time.Hour, 5000: time.Hour,
	} {
		shortest, longest := limit, time.Duration(0)
		for range 1000 {
			pause := b.Pause(number)
			shortest, longest = min(shortest, pause), max(longest, pause)
		}
		if shortest < 0 || shortest > limit/10 || longest > limit || longest < limit*9/10 {
			t.Errorf("after attempt %d pauses are %v to %v; they are to be 0 to %v", number, shortest, longest, limit)
		}
	}
	if pause := new(queue.Backoff).Pause(1); pause != 0 {
		t.Errorf("without a first pause there is one of %v", pause)
	}
}

func TestRetryAfter(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for _, c := range []struct{ asked, lasts, want time.Duration }{
			{30 * time.Minute, 72 * time.Hour, 30 * time.Minute},
			{30 * 24 * time.Hour, 72 * time.Hour, time.Hour},
			{30 * time.Minute, 10 * time.Minute, 10 * time.Minute},
		} {
			s := newSetup(t, new(backend))
			answer := unavailable
			answer.RetryAfter = c.asked
			a := app{answer: failing(answer)}
			r := a.route()
			r.Retry = backoff(c.lasts, time.Millisecond, 10*time.Millisecond)
			s.attach(r)
			d := s.tried(s.append(newEvent(t, "shop", "app")))
			if pause := d.Due.Sub(d.Queued); pause < c.want || pause > c.want+5*time.Second {
				t.Errorf("asked for %v of %v: the pause is %v", c.asked, c.lasts, pause)
			}
			if d.Status != 503 || d.Reason != unavailable.Reason {
				t.Errorf("after the first attempt: %+v", d)
			}
		}
	})
}

func TestDeadline(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		a := app{answer: failing(queue.Result{Status: 503, Reason: "503 Service Unavailable", RetryAfter: time.Hour})}
		r := a.route()
		lasts := 300 * time.Millisecond
		r.Retry = backoff(lasts, time.Millisecond, 10*time.Millisecond)
		s.attach(r)
		id := s.append(newEvent(t, "shop", "app"))
		if d := s.tried(id); !d.Due.Equal(d.Queued.Add(lasts)) {
			t.Errorf("the last attempt is due %v after the deadline", d.Due.Sub(d.Queued.Add(lasts)))
		}
		d := s.ended(id).Delivery("app")
		if d.State != queue.Dead || d.Attempts != 2 || d.Reason != "gave up after 300ms: 503 Service Unavailable" {
			t.Errorf("after the deadline: %+v", d)
		}
		if d.Ended.Before(d.Queued.Add(lasts)) {
			t.Error("gave up before the deadline")
		}
		eventually(t, "the report", func() (seen bool) {
			s.watch.see(func() { seen = slices.Equal(s.watch.dead, []string{d.Reason}) })
			return seen
		})
	})
}

func TestOneAttemptHoweverLate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		e := newEvent(t, "shop", "app")
		e.SetRoutes([]string{"app"}, time.Now().Add(-100*time.Hour))
		var a app
		s.attach(a.route())
		if d := s.ended(s.append(e)).Delivery("app"); d.State != queue.Delivered {
			t.Errorf("delivery: %+v", d)
		}
	})
}

// linear is another policy: each pause is longer than the one before by the same time.
type linear struct{}

func (linear) Pause(attempt int) time.Duration  { return time.Duration(attempt) * 20 * time.Minute }
func (linear) Probe(failures int) time.Duration { return time.Duration(failures+1) * time.Minute }
func (linear) Lasts() time.Duration             { return 100 * time.Minute }

// The engine holds the deadline and Retry-After for every policy.
func TestAnotherRetryPolicy(t *testing.T) {
	for _, c := range []struct {
		name  string
		asked time.Duration
		want  []time.Duration
	}{
		{"no Retry-After", 0, []time.Duration{0, 20 * time.Minute, 60 * time.Minute, 100 * time.Minute}},
		{"a shorter pause", time.Minute, []time.Duration{0, 20 * time.Minute, 60 * time.Minute, 100 * time.Minute}},
		{"a longer pause", 30 * time.Minute, []time.Duration{0, 30 * time.Minute, 70 * time.Minute, 100 * time.Minute}},
		{"too long a pause", 5 * time.Hour, []time.Duration{0, 60 * time.Minute, 100 * time.Minute}},
	} {
		runInBubble(t, c.name, func(t *testing.T) {
			s := newSetup(t, new(backend))
			began := time.Now()
			var attempts []time.Duration
			a := app{answer: func(context.Context, *queue.Event, int) queue.Result {
				attempts = append(attempts, time.Since(began).Round(time.Minute))
				answer := unavailable
				answer.RetryAfter = c.asked
				return answer
			}}
			r := a.route()
			r.Retry = linear{}
			s.attach(r)
			id := s.append(newEvent(t, "shop", "app"))
			pass(2 * time.Hour)
			d := s.get(id).Delivery("app")
			if d.State != queue.Dead || d.Reason != "gave up after 1h40m0s: 503 Service Unavailable" {
				t.Errorf("delivery: %+v", d)
			}
			if !slices.Equal(attempts, c.want) {
				t.Errorf("attempts after %v instead of %v", attempts, c.want)
			}
		})
	}
}

func TestAnotherRetryPolicyProbes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		a := app{answer: failing(unavailable)}
		r := a.route()
		r.Concurrency, r.Retry = 1, linear{}
		s.appendMany(20)
		s.attach(r)
		s.waitFailing()
		pass(30 * time.Second)
		for i, pause := range []time.Duration{0, time.Minute, 2 * time.Minute, 3 * time.Minute} {
			pass(pause)
			if n := a.count(); n != 5+i {
				t.Errorf("%d probes instead of %d", n-5, i)
			}
		}
	})
}
