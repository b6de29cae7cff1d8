package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue/memory"
)

// provider answers calls after a while, and knows when each began.
type provider struct {
	mu     sync.Mutex
	takes  time.Duration
	answer func(e *queue.Event) queue.Verdict
	calls  []call
	under  map[string]int // calls under way, by address
	most   map[string]int
}

type call struct {
	address string
	id      queue.ID
	at      time.Time
}

func (p *provider) check(ctx context.Context, e *queue.Event) queue.Verdict {
	address := e.Request.ClientIP
	p.mu.Lock()
	p.calls = append(p.calls, call{address, e.ID, time.Now()})
	if p.under == nil {
		p.under, p.most = make(map[string]int), make(map[string]int)
	}
	for _, a := range []string{address, "all"} {
		p.under[a]++
		p.most[a] = max(p.most[a], p.under[a])
	}
	takes, answer := p.takes, p.answer
	p.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		answer = func(*queue.Event) queue.Verdict { return unheard }
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.under[address]--
	p.under["all"]--
	return answer(e)
}

// is sets what the provider answers from now on, and how long a call takes.
func (p *provider) is(takes time.Duration, answer queue.Verdict) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.takes, p.answer = takes, func(*queue.Event) queue.Verdict { return answer }
}

// called returns the calls for an address.
func (p *provider) called(address string) (calls []call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.calls {
		if c.address == address {
			calls = append(calls, c)
		}
	}
	return calls
}

// atOnce returns how many calls there were at once, for an address or for all.
func (p *provider) atOnce(of string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.most[of]
}

const stranger, sender = "192.0.2.1", "198.51.100.1"

// asks attaches the source sign, whose proofs the provider checks.
func (s *setup) asks(p *provider, destination *app) {
	s.Attach(s.config(map[string]*queue.Source{"sign": {
		Routes: map[string]*queue.Route{"app": destination.route()},
		Check:  p.check,
		Route:  func(*queue.Event) []string { return []string{"app"} },
	}}))
}

// holdFrom has an event of so many bytes arrive from an address, and returns what became
// of it and how long that took.
func (s *setup) holdFrom(address string, size int) (id queue.ID, found queue.Judgment, took time.Duration, err error) {
	e := newEvent(s.t, "sign")
	e.Request.ClientIP, e.Request.Body = address, append(e.Request.Body, make([]byte, size)...)
	began := time.Now()
	v, err := s.Hold(context.Background(), e)
	return e.ID, v.Judgment, time.Since(began), err
}

// flood has n events arrive at once from an address, and returns how many were refused.
func (s *setup) flood(address string, n, size int) (full int) {
	var mu sync.Mutex
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			_, _, _, err := s.holdFrom(address, size)
			if err != nil && !errors.Is(err, queue.ErrFull) {
				s.t.Error(err)
			}
			if err != nil {
				mu.Lock()
				full++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return full
}

func (s *setup) held() int64 { return s.Usage().Events["sign"][queue.Held].Count }

// TestStrangersCallsDelayNobody has a stranger post a lot while each call takes longer
// than it may. The first call for an event from another address is made at once, and so
// is the second one, in its time.
func TestStrangersCallsDelayNobody(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		p, destination := new(provider), new(app)
		p.is(time.Hour, unheard)
		s.asks(p, destination)
		began := time.Now()
		if full := s.flood(stranger, 1000, 0); full > 0 {
			t.Errorf("%d of 1000 events were refused", full)
		}
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("the senders waited for %v", took)
		}
		pass(time.Millisecond) // those that wait have their calls
		if _, found, took, err := s.holdFrom(stranger, 0); err != nil || found != queue.Undecided || took > 100*time.Millisecond {
			t.Errorf("one more event of the stranger: %s after %v, %v", found, took, err)
		}
		arrived := time.Now()
		id, _, _, err := s.holdFrom(sender, 0)
		if err != nil {
			t.Fatal(err)
		}
		pass(20 * time.Second)
		calls := p.called(sender)
		if len(calls) < 2 || !calls[0].at.Equal(arrived) {
			t.Fatalf("calls for the sender: %v after %v", calls, arrived)
		}
		// 3 s until the call has failed, and 5 s of pause
		if second := calls[1].at.Sub(arrived); second > 9*time.Second {
			t.Errorf("the second call is made after %v", second)
		}
		if n := p.atOnce(stranger); n != queue.MaxCallsEach || n > queue.MaxCalls/2 {
			t.Errorf("%d calls at once for the stranger", n)
		}
		p.is(time.Millisecond, genuine)
		if e := s.ended(id); e.State != queue.Routed {
			t.Errorf("the sender's event is %s", e.State)
		}
	})
}

// TestAddressesTakeTurns has many addresses wait for calls. They take turns, and of each
// address the oldest event comes first.
func TestAddressesTakeTurns(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		p := new(provider)
		p.is(0, queue.Verdict{Judgment: queue.Undecided, Overloaded: true, RetryAfter: 30 * time.Second})
		s.asks(p, new(app))
		s.holdFrom("192.0.2.99", 0)
		for i := range 6 { // more than get all their calls at once
			s.flood(fmt.Sprintf("192.0.2.%d", i), 200, 0)
		}
		for i := range 10 {
			for range 3 {
				s.holdFrom(fmt.Sprintf("198.51.100.%d", i), 0)
			}
		}
		p.is(100*time.Millisecond, genuine)
		pass(29 * time.Second)
		if n := len(p.called(stranger)); n > 0 {
			t.Errorf("%d calls during the pause", n)
		}
		pass(2 * time.Second)
		for i := range 10 {
			if n := len(p.called(fmt.Sprintf("198.51.100.%d", i))); n != 3 {
				t.Errorf("%d calls for address %d", n, i)
			}
		}
		byAge := p.called(stranger)
		slices.SortFunc(byAge, func(a, b call) int { return slices.Compare(a.id[:], b.id[:]) })
		if !slices.IsSortedFunc(byAge, func(a, b call) int { return a.at.Compare(b.at) }) {
			t.Error("calls for older events are made later")
		}
		if n := p.atOnce("all"); n != queue.MaxCalls {
			t.Errorf("%d calls at once", n)
		}
		pass(10 * time.Second)
		if s.held() != 0 {
			t.Errorf("%d events are held still", s.held())
		}
	})
}

func TestOverloadedProvider(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		p := new(provider)
		p.is(0, queue.Verdict{Judgment: queue.Undecided, Overloaded: true, Sent: true, Reason: "429"})
		s.asks(p, new(app))
		for range 300 {
			if _, found, took, err := s.holdFrom(sender, 0); err != nil || found != queue.Undecided || took > time.Second {
				t.Fatalf("found %s after %v, %v", found, took, err)
			}
			pass(time.Second)
		}
		// Pauses of 5, 10, 20, 40, 80 and 160 seconds
		calls := p.called(sender)
		if len(calls) != 6 {
			t.Errorf("%d calls in five minutes", len(calls))
		}
		for i := 1; i < len(calls); i++ {
			if pause, want := calls[i].at.Sub(calls[i-1].at), 5*time.Second<<(i-1); pause < want || pause > want+time.Second {
				t.Errorf("pause %d is %v, want %v", i, pause, want)
			}
		}
		// The next answer names a time, and the one after it is a verdict.
		p.is(0, queue.Verdict{Judgment: queue.Undecided, Overloaded: true, RetryAfter: 10 * time.Second})
		for len(p.called(sender)) < 7 {
			pass(time.Second)
		}
		p.is(time.Millisecond, genuine)
		pass(9 * time.Second)
		if n := len(p.called(sender)); n != 7 {
			t.Errorf("%d calls before Retry-After has passed", n-7)
		}
		pass(3 * time.Second)
		if s.held() != 0 {
			t.Errorf("%d events are held still", s.held())
		}
	})
}

func TestRetryAfterIsBounded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		p := new(provider)
		p.is(0, queue.Verdict{Judgment: queue.Undecided, Overloaded: true, RetryAfter: 1000 * time.Hour})
		s.asks(p, new(app))
		s.holdFrom(sender, 0)
		p.is(0, genuine)
		pass(time.Hour + time.Minute)
		if s.held() != 0 {
			t.Error("the event is held still")
		}
	})
}

// TestWellAgain has the provider be away for an hour. What waits is checked soon after
// the first verdict, not after the pauses that have grown meanwhile.
func TestWellAgain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, new(backend))
		p := new(provider)
		p.is(0, unsent)
		s.asks(p, new(app))
		for range 100 {
			s.holdFrom(stranger, 0)
			s.holdFrom(sender, 0)
		}
		pass(time.Hour)
		p.is(50*time.Millisecond, genuine)
		if _, found, _, _ := s.holdFrom(sender, 0); found != queue.Genuine {
			t.Errorf("a new event is found %s", found)
		}
		pass(5 * time.Second)
		if s.held() != 0 {
			t.Errorf("%d events are held still", s.held())
		}
	})
}

// TestHeldIsShared has strangers fill what places they get. Others have places all the
// same, and large events take none from small ones.
func TestHeldIsShared(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := &backend{Backend: &memory.Backend{Max: 8 << 20}}
		s := newSetup(t, b)
		p := new(provider)
		p.is(0, queue.Verdict{Judgment: queue.Undecided, Overloaded: true, RetryAfter: time.Hour})
		s.asks(p, new(app))
		if full := s.flood(stranger, 20, 100<<10); full == 0 {
			t.Error("a stranger gets places for all large events")
		}
		if full := s.flood("2001:db8::1", 400, 0) + s.flood("2001:db8::2", 400, 0); full < 100 || full > 400 {
			t.Errorf("%d of 800 events of a network are refused", full)
		}
		for range 100 {
			if _, _, _, err := s.holdFrom(sender, 0); err != nil {
				t.Fatal(err)
			}
		}
		// After a restart the shares are what lies in the store.
		held := s.held()
		s.Close()
		s = newSetup(t, b)
		s.asks(p, new(app))
		if full := s.flood("2001:db8::3", 100, 0); full < 90 {
			t.Errorf("after a restart %d of 100 more events of the network are refused", full)
		}
		if full := s.flood("203.0.113.1", 50, 0); full > 0 {
			t.Errorf("after a restart %d of 50 events of an address without places are refused", full)
		}
		// Events that are not held have their own limits.
		s.append(newEvent(t, "sign", "app"))
		// Forged events give their places back at once.
		p.is(0, forged)
		pass(2 * time.Hour)
		if s.held() != 0 {
			t.Errorf("%d of %d events are held still", s.held(), held)
		}
		if _, found, _, err := s.holdFrom("2001:db8::4", 0); err != nil || found != queue.Forged {
			t.Errorf("then an event of the network is found %s, %v", found, err)
		}
		if full := s.flood("2001:db8::4", 400, 0); full > 0 {
			t.Errorf("%d of 400 forged events are refused for want of a place", full)
		}
	})
}

// TestDroppedHeldGivesItsPlaceBack drops what fills the places.
func TestDroppedHeldGivesItsPlaceBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSetup(t, &backend{Backend: &memory.Backend{Max: 1 << 20}})
		p := new(provider)
		p.is(0, queue.Verdict{Judgment: queue.Undecided, Overloaded: true, RetryAfter: time.Hour})
		s.asks(p, new(app))
		var ids []queue.ID
		fill := func() (n int) {
			for ; ; n++ {
				id, _, _, err := s.holdFrom(stranger, 0)
				if err != nil {
					return n
				}
				ids = append(ids, id)
			}
		}
		places := fill()
		synctest.Wait()
		for _, id := range ids {
			if _, err := s.operate(id, queue.Drop{}); err != nil {
				t.Fatal(err)
			}
		}
		if again := fill(); again != places {
			t.Errorf("%d places, and %d when they were dropped", places, again)
		}
	})
}
