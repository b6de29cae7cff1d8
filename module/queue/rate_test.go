package queue_test

import (
	"testing"
	"time"
)

func TestRate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		var a app
		r := a.route()
		r.Rate = 50
		s.appendMany(120)
		began := time.Now()
		s.attach(r)
		eventually(t, "a second's worth", func() bool { return a.count() >= 50 })
		if took := time.Since(began); took > 500*time.Millisecond {
			t.Errorf("50 attempts, allowed at once, took %v", took)
		}
		// A reload does not fill the limiter's bucket again.
		for range 5 {
			pass(100 * time.Millisecond)
			s.attach(r)
		}
		elapsed := time.Since(began)
		if n, most := a.count(), 51+int(50*elapsed.Seconds()); n > most || n < most-15 {
			t.Errorf("%d attempts after %v, %d are allowed", n, elapsed, most)
		}
		// Another rate goes on with the bucket as it is.
		faster := *r
		faster.Rate = 1000
		s.attach(&faster)
		eventually(t, "the rest", func() bool { return a.count() == 120 })
		if took := time.Since(began) - elapsed; took > 500*time.Millisecond {
			t.Errorf("the rest took %v at 1000 a second", took)
		}
	})
}

// A pause does not fill the bucket, nor does a source that leaves and comes back.
func TestRateOutlivesItsRoute(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		var a app
		r := a.route()
		r.Rate = 40
		s.appendMany(200)
		began := time.Now()
		s.attach(r)
		eventually(t, "a second's worth", func() bool { return a.count() >= 40 })
		s.pause(shopApp)
		s.resume(shopApp)
		s.Attach(s.config(nil))
		slower := *r
		slower.Rate = 20
		s.attach(&slower)
		pass(200 * time.Millisecond)
		if n, most := a.count(), 41+int(40*time.Since(began).Seconds()); n > most {
			t.Errorf("%d attempts, %d are allowed", n, most)
		}
		unlimited := *r
		unlimited.Rate = 0
		s.attach(&unlimited)
		eventually(t, "the rest", func() bool { return a.count() == 200 })
	})
}

func TestSlowRate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		var a app
		r := a.route()
		r.Rate = 5. / 3600
		s.attach(r)
		s.ended(s.appendMany(3)[0])
		pass(5 * time.Second)
		if n := a.count(); n != 1 {
			t.Errorf("%d attempts at once, with five in an hour", n)
		}
	})
}
