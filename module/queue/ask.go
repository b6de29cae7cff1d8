package queue

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// MaxAskers is how many senders wait at once, of all sources together.
const MaxAskers = 1024

// Answer is what a destination has answered, in memory that Free gives back.
type Answer interface{ Free() }

// Asked says what came of a sender's wait for the answer of a destination.
type Asked string

const (
	// Answered means that the sender gets the destination's answer.
	Answered Asked = "app"
	// Queued means that no attempt began at once: the route is paused or failing, or
	// its rate, its concurrency or the key of an earlier delivery did not allow one.
	Queued Asked = "queued"
	// Retried means that the attempt will be followed by another one.
	Retried Asked = "retry"
	// Unkept means that the answer ended the delivery, but was not kept in memory.
	Unkept Asked = "unkept"
	// Late means that the sender's deadline came first.
	Late Asked = "deadline"
	// Gone means that the sender has gone.
	Gone Asked = "gone"
)

// Asker is a sender who waits for what the destination of a route answers to an event.
// Whatever comes of that, the delivery takes its usual course.
type Asker struct {
	engine *Engine
	among  *askers
	id     ID
	ended  chan struct{} // closed when it is known what comes of the wait

	// The askers' lock guards these.
	seen bool // the event can be claimed
	held bool // somebody tries to begin an attempt without a claim

	mu     sync.Mutex
	left   bool // the sender does not wait any more
	answer Answer
	asked  Asked
}

// Ask announces that the sender of an event which is about to be stored waits for the
// answer of a route's destination. The caller calls Wait, or Leave. Ask returns nil if no
// attempt will be made at once, or if too many senders wait already.
func (e *Engine) Ask(route RouteKey, id ID) *Asker {
	snap := e.snapshot.Load()
	q := snap.queues[route]
	if q == nil || q.route.Ask == nil || snap.off.Load() {
		return nil
	}
	if e.asking.Add(1) > MaxAskers {
		e.asking.Add(-1)
		return nil
	}
	a := &Asker{engine: e, among: &q.askers, id: id, ended: make(chan struct{})}
	q.askers.add(a)
	return a
}

// Wait returns the destination's answer, which the caller has to free, or nil and why the
// sender does not get one. It waits until ctx ends, at the latest.
func (a *Asker) Wait(ctx context.Context) (Answer, Asked) {
	select {
	case <-a.ended:
	case <-ctx.Done():
	}
	a.leave()
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.asked != "":
		return a.answer, a.asked
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, Late
	}
	return nil, Gone
}

// Leave ends the wait without an answer.
func (a *Asker) Leave() {
	a.leave()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.answer != nil {
		a.answer.Free()
	}
}

func (a *Asker) leave() {
	a.among.take(a.id)
	a.engine.asking.Add(-1)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.left = true
}

// Waits reports whether the sender still waits.
func (a *Asker) Waits() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.left
}

// end ends the wait. Whoever took the asker from the others calls it, once.
func (a *Asker) end(answer Answer, asked Asked) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.left {
		if answer != nil {
			answer.Free()
		}
		return
	}
	a.answer, a.asked = answer, asked
	close(a.ended)
}

// tell ends the wait with the result of an attempt.
func (a *Asker) tell(r Result) {
	switch {
	case r.Outcome != Succeeded && r.Outcome != Refused:
		if r.Answer != nil {
			r.Answer.Free()
		}
		a.end(nil, Retried)
	case r.Answer == nil:
		a.end(nil, Unkept)
	default:
		a.end(r.Answer, Answered)
	}
}

// askers are the senders who wait for an attempt to begin on a route. An attempt takes the
// asker of its event along.
type askers struct {
	n  atomic.Int32 // spares those who look for none the lock
	mu sync.Mutex
	of map[ID]*Asker
}

func (s *askers) add(a *Asker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		s.of = make(map[ID]*Asker)
	}
	s.of[a.id] = a
	s.n.Add(1)
}

// take returns the asker of an event, who is not among the others any more, or nil.
func (s *askers) take(id ID) *Asker {
	if s.n.Load() == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.of[id]
	if a != nil {
		delete(s.of, id)
		s.n.Add(-1)
	}
	return a
}

// find runs a function on the asker of an event, and reports whether there is one.
func (s *askers) find(id ID, change func(*Asker)) bool {
	if s.n.Load() == 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.of[id]
	if a != nil {
		change(a)
	}
	return a != nil
}

// has reports whether the sender of an event waits.
func (s *askers) has(id ID) bool { return s.find(id, func(*Asker) {}) }

// see notes that an event can be claimed.
func (s *askers) see(id ID) { s.find(id, func(a *Asker) { a.seen = true }) }

// hold keeps a claim, which may not find the event now, from turning its sender away. It
// reports whether there is one.
func (s *askers) hold(id ID, held bool) bool { return s.find(id, func(a *Asker) { a.held = held }) }

// seen returns the events that can be claimed. A claim that begins now, and leaves nothing
// that is due, takes them, or there is a reason that they are not tried at once.
func (s *askers) seen() (ids []ID) {
	if s.n.Load() == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, a := range s.of {
		if a.seen && !a.held {
			ids = append(ids, id)
		}
	}
	return ids
}

// turnAway ends the wait for events that are not tried at once.
func (s *askers) turnAway(ids ...ID) {
	for _, id := range ids {
		if a := s.take(id); a != nil {
			a.end(nil, Queued)
		}
	}
}

// arrive has the scheduler look at a route for an event that can be claimed from now on.
func (e *Engine) arrive(route RouteKey, id ID, due time.Time) {
	snap := e.snapshot.Load()
	if q := snap.queues[route]; q != nil {
		q.askers.see(id)
		if q.wake(due.UnixNano()) {
			signal(e.poke)
		}
	} else if state := snap.routeStates[route]; state != nil {
		state.askers.turnAway(id) // the route was paused a moment ago
	}
}
