package queue_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue/memory"
)

// FuzzHeld takes held events through what may happen to them: verdicts, calls that
// panic, crashes within and between calls, sources that go and return, and an
// operator's drops and replays. Each byte of the script is a step, or a verdict where
// a call is made. No event is delivered before somebody vouched for it, and none is lost
// that nobody refused.
func FuzzHeld(f *testing.F) {
	for _, script := range []string{"", "\x00\x00", "\x00\x04\x02\x00", "\x00\x03\x10\x02\x02", "\x00\x04\x02\x02\x05", "\x00\x44\x24\x02\x04", "\x00\x05\x06\x00\x06\x00\x02", "\x00\x42\x01\x00\x5e\x02\x02\x05"} {
		f.Add([]byte(script))
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 60 {
			return
		}
		inBubble(t, func(t *testing.T) { newStory(t, script).run() })
	})
}

// story is what happens to held events, and what is known about them.
type story struct {
	t      *testing.T
	engine *setup
	config *queue.Config

	mu      sync.Mutex
	script  []byte
	vouched map[queue.ID]bool // by the provider, or by an operator who replays what is uncertain
	refused map[queue.ID]bool // by the provider, or by an operator who drops the event
	unknown map[queue.ID]bool // whether an earlier call may have used the proof up
	events  []queue.ID        // that were accepted
	crashed *memory.Backend   // what a crash during a call has left
	during  queue.ID          // the event that the call was about
}

func newStory(t *testing.T, script []byte) *story {
	s := &story{t: t, script: script, vouched: make(map[queue.ID]bool), refused: make(map[queue.ID]bool), unknown: make(map[queue.ID]bool)}
	s.restart(new(memory.Backend))
	return s
}

// next returns the next byte of the script, 0 at its end.
func (s *story) next() byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.take()
}

func (s *story) take() byte {
	if len(s.script) == 0 {
		return 0
	}
	step := s.script[0]
	s.script = s.script[1:]
	return step
}

// told reports whether the script is at its end.
func (s *story) told() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.script) == 0
}

// left returns what a crash during a call has left on disk, nil if there was none.
func (s *story) left() *memory.Backend {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.crashed
}

// restart goes on with what a process has left on disk.
func (s *story) restart(left *memory.Backend) {
	if s.engine != nil {
		s.engine.Close()
	}
	engine := newSetup(s.t, &backend{Backend: left}, func(p *queue.Timing) {
		p.FirstRecheck, p.LongestRecheck, p.CheckFor = time.Second, time.Minute, time.Hour
	})
	s.mu.Lock()
	s.engine, s.crashed = engine, nil
	s.mu.Unlock()
	s.attach()
}

func (s *story) attach() {
	destination := &app{answer: func(_ context.Context, e *queue.Event, _ int) queue.Result {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.vouched[e.ID] {
			s.t.Errorf("event %s is delivered, and nobody vouched for it", e.ID)
		}
		return queue.Result{Outcome: queue.Succeeded, Status: 200}
	}}
	s.config = s.engine.config(map[string]*queue.Source{"sign": {
		Window: time.Hour, Entries: 100,
		Routes: map[string]*queue.Route{"app": destination.route()},
		Check:  s.check,
		Route:  func(*queue.Event) []string { return []string{"app"} },
	}})
	s.config.Retention = queue.Retention{Done: 1000 * time.Hour, Failed: 1000 * time.Hour}
	s.engine.Attach(s.config)
}

// check answers a call as the script says.
func (s *story) check(_ context.Context, e *queue.Event) queue.Verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.crashed != nil {
		return unsent // the process is gone
	}
	step, earlier := s.take(), s.unknown[e.ID]
	if step&0x40 != 0 {
		s.crashed, s.during, s.unknown[e.ID] = s.engine.backend.Copy(), e.ID, true
	}
	switch step % 6 {
	case 0:
		s.vouched[e.ID] = true
		return genuine
	case 1:
		s.refused[e.ID] = true
		return forged
	case 2:
		s.refused[e.ID] = s.refused[e.ID] || !earlier
		return used
	case 3:
		return unsent
	case 4:
		s.unknown[e.ID] = true
		return unheard
	}
	s.unknown[e.ID] = true
	panic("the check failed")
}

func (s *story) run() {
	for !s.told() {
		switch step := s.next(); step % 7 {
		case 0:
			s.hold()
		case 1:
			pass(time.Duration(step) * time.Millisecond)
		case 2:
			pass(time.Duration(step) * time.Minute)
		case 3: // a crash between calls
			s.restart(s.engine.backend.Copy())
		case 4:
			s.operate(queue.Drop{Pick: every}, s.refused)
		case 5:
			s.operate(queue.Replay{Pick: every, To: []string{"app"}}, s.vouched)
		case 6: // the source is not configured for a while
			s.engine.Detach(s.config)
			pass(time.Duration(step) * time.Second)
			s.attach()
		}
		if left := s.left(); left != nil {
			s.restart(left)
		}
	}
	pass(3 * time.Hour) // all calls are given up by then
	s.checkEnds()
}

// hold accepts an event.
func (s *story) hold() {
	e := newEvent(s.t, "sign")
	verdict, err := s.engine.Hold(s.t.Context(), e)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.crashed != nil && s.during != e.ID:
		// The process was gone before the event was stored.
	case err != nil:
		s.t.Fatal(err)
	case verdict.Judgment == queue.Forged:
		if s.vouched[e.ID] || !s.refused[e.ID] {
			s.t.Errorf("event %s is refused, and the provider did not", e.ID)
		}
	default:
		s.events = append(s.events, e.ID)
	}
}

// operate does with the newest event what an operator does, and notes that if it was
// done.
func (s *story) operate(operation queue.Operation, note map[queue.ID]bool) {
	if len(s.events) == 0 {
		return
	}
	id := s.events[len(s.events)-1]
	e, err := s.engine.Get(s.t.Context(), id)
	if err != nil {
		return
	}
	_, replay := operation.(queue.Replay)
	if replay && e.State == queue.Held { // which vouches for nothing
		note = make(map[queue.ID]bool)
	}
	s.mu.Lock()
	before := note[id]
	note[id] = true // a delivery may begin before Bulk returns
	s.mu.Unlock()
	if ending := s.engine.Bulk(s.t.Context(), []queue.Task{{Event: e, Operation: operation}})[0]; ending.Err != nil {
		s.mu.Lock()
		note[id] = before
		s.mu.Unlock()
	}
}

// checkEnds holds what became of the events against what was said of them.
func (s *story) checkEnds() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range s.events {
		e, err := s.engine.Get(s.t.Context(), id)
		switch {
		case errors.Is(err, queue.ErrNotFound):
			if !s.refused[id] {
				s.t.Errorf("event %s is lost, and nobody refused it", id)
			}
		case err != nil:
			s.t.Error(err)
		case e.State == queue.Held:
			s.t.Errorf("event %s is held for ever: %+v", id, e.Check)
		case (e.State == queue.Routed || e.State == queue.Unrouted) && !s.vouched[id]:
			s.t.Errorf("event %s is routed, and nobody vouched for it", id)
		}
	}
}
