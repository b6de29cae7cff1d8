package queue

import (
	"bytes"
	"container/heap"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/share"
)

// Nothing vouches for held events yet, so a source has only so much place for them:
// maxHeldBytes for small ones, and as much again for larger ones. An address gets no
// more of either than it leaves to the others.
const (
	maxHeldBytes = 128 << 20
	smallHeld    = 64 << 10 // the largest of the small ones
	leastHeld    = 1 << 10  // what an event counts at least
)

// A source makes so many calls at once, and so many for one address.
const maxCalls, maxCallsEach = 32, 8

// waitingRoom has the held events of a source, and says whose proof is checked next.
// The addresses that events came from take turns; of one address the oldest event that
// is due comes first. The store has the events, too; the room lives as long as the
// engine.
type waitingRoom struct {
	first, longest time.Duration // pauses, as those of timing
	small, large   *share.Pool   // bytes

	mu      sync.Mutex
	filled  bool // the room has what the store has
	events  map[ID]*heldEvent
	senders map[netip.Addr]*sender // that have an event which is due, or a call under way
	turns   []*sender              // that have an event which is due, the next one first
	later   line                   // events that are not due yet
	calls   int                    // that are under way
	ailing  time.Time              // when the first of the last calls without an outcome ended; zero if the last call had one
	pauses  int                    // in a row that the provider has asked for
	resume  time.Time              // when the last of them ends

	hastened time.Time // when all events became due last
}

// heldEvent is a held event in a waiting room.
type heldEvent struct {
	id      ID
	address netip.Addr
	due     time.Time
	called  time.Time // when the last call began
	state   heldState
	pool    *share.Pool
	claim   share.Claim
}

type heldState uint8

const (
	heldIdle    heldState = iota // being stored, or its outcome is being stored
	heldWaiting                  // waits for its time or its turn
	heldCalling                  // a call is under way
	heldGone                     // has left the room
)

// sender is an address that events came from.
type sender struct {
	due    line
	calls  int
	inTurn bool
}

func newWaitingRoom(times timing, maxSize int64) *waitingRoom {
	size := min(maxHeldBytes, maxSize/8)
	return &waitingRoom{
		first: times.FirstRecheck, longest: times.LongestRecheck,
		small:   share.NewPool(size, size/4, smallHeld),
		large:   share.NewPool(size, 0, 0),
		events:  make(map[ID]*heldEvent),
		senders: make(map[netip.Addr]*sender),
		later:   line{before: func(a, b *heldEvent) bool { return a.due.Before(b.due) }},
	}
}

// enter gives an event a place. It returns false if there is none for its address.
func (r *waitingRoom) enter(ev *Event) bool {
	h, size := r.newHeldEvent(ev)
	if !h.pool.Take(&h.claim, size) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events[ev.ID] = h
	return true
}

// recall gives a place to an event that was held before, whatever the shares.
func (r *waitingRoom) recall(ev *Event) {
	h, size := r.newHeldEvent(ev)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.events[ev.ID] == nil {
		h.pool.Keep(&h.claim, size)
		r.events[ev.ID] = h
		r.put(h, ev.Check.Due)
	}
}

func (r *waitingRoom) newHeldEvent(ev *Event) (h *heldEvent, size int64) {
	size = max(ev.Request.Size(), leastHeld)
	h = &heldEvent{id: ev.ID, address: share.Address(ev.Request.ClientIP), pool: r.small}
	h.claim.Client = strings.Clone(ev.Request.ClientIP)
	if size > smallHeld {
		h.pool = r.large
	}
	return h, size
}

// has reports whether an event is in the room.
func (r *waitingRoom) has(id ID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events[id] != nil
}

// leave gives an event's place back.
func (r *waitingRoom) leave(id ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if h := r.events[id]; h != nil {
		r.hangUp(h)
		h.state = heldGone
		delete(r.events, id)
		h.pool.Give(&h.claim)
	}
}

// wait has an event wait for its next call, until due at least.
func (r *waitingRoom) wait(id ID, due time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if h := r.events[id]; h != nil && h.state != heldWaiting {
		r.hangUp(h)
		r.put(h, due)
	}
}

// put has an event wait.
func (r *waitingRoom) put(h *heldEvent, due time.Time) {
	h.state, h.due = heldWaiting, due
	heap.Push(&r.later, h)
}

// ripen has the events take turns that are due.
func (r *waitingRoom) ripen(now time.Time) {
	for r.later.Len() > 0 && !r.later.events[0].due.After(now) {
		h := heap.Pop(&r.later).(*heldEvent)
		if h.state == heldGone {
			continue
		}
		s := r.sender(h.address)
		heap.Push(&s.due, h)
		r.queue(s)
	}
}

func (r *waitingRoom) queue(s *sender) {
	if !s.inTurn {
		s.inTurn = true
		r.turns = append(r.turns, s)
	}
}

func (r *waitingRoom) sender(address netip.Addr) *sender {
	s := r.senders[address]
	if s == nil {
		s = &sender{due: line{before: func(a, b *heldEvent) bool { return bytes.Compare(a.id[:], b.id[:]) < 0 }}}
		r.senders[address] = s
	}
	return s
}

// begin begins the first call for an event, if there may be one now. Otherwise it says
// why not.
func (r *waitingRoom) begin(id ID, now time.Time) (begun bool, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.events[id]
	switch {
	case now.Before(r.resume):
		return false, "the provider has asked for fewer calls"
	case r.calls >= r.limit():
		return false, "too many calls are under way"
	case r.callsFor(h.address) >= maxCallsEach:
		return false, "too many calls are under way for its address"
	}
	r.call(h, now)
	return true, ""
}

func (r *waitingRoom) callsFor(address netip.Addr) int {
	if s := r.senders[address]; s != nil {
		return s.calls
	}
	return 0
}

// limit returns how many calls there may be at once. After a pause one call finds out
// whether the provider is well again.
func (r *waitingRoom) limit() int {
	if r.pauses > 0 {
		return 1
	}
	return maxCalls
}

func (r *waitingRoom) call(h *heldEvent, now time.Time) {
	h.state, h.called = heldCalling, now
	r.sender(h.address).calls++
	r.calls++
}

// hangUp notes that the call for an event has ended, if there was one.
func (r *waitingRoom) hangUp(h *heldEvent) {
	if h.state != heldCalling {
		return
	}
	h.state = heldIdle
	r.calls--
	s := r.senders[h.address]
	s.calls--
	if s.calls == 0 && !s.inTurn {
		delete(r.senders, h.address)
	}
}

// next begins a call for the next event in turn. If none can begin, again is when to look
// again; zero means only the end of a running call can change that.
func (r *waitingRoom) next(now time.Time) (id ID, begun bool, again time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Before(r.resume) {
		return ID{}, false, r.resume
	}
	r.ripen(now)
	for range len(r.turns) {
		if r.calls >= r.limit() {
			break
		}
		s := r.turns[0]
		r.turns = r.turns[1:]
		s.inTurn = false
		if s.calls >= maxCallsEach {
			r.queue(s)
			continue
		}
		h := heap.Pop(&s.due).(*heldEvent)
		if s.due.Len() > 0 {
			r.queue(s)
		}
		if h.state != heldGone {
			r.call(h, now)
			return h.id, true, time.Time{}
		}
		if s.calls == 0 && !s.inTurn {
			delete(r.senders, h.address)
		}
	}
	if r.later.Len() > 0 {
		again = r.later.events[0].due
	}
	return ID{}, false, again
}

// note notes what a call says about the provider. It returns how long calls pause if
// that has begun a pause.
func (r *waitingRoom) note(v Verdict, now time.Time) (pause time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	paused := now.Before(r.resume) // so the call began before the pause
	switch {
	case v.Overloaded:
		pause = min(v.RetryAfter, maxRetryAfter)
		if pause <= 0 && !paused {
			pause = doubled(r.first, r.longest, r.pauses)
		}
		if resume := now.Add(pause); resume.After(r.resume) {
			r.resume = resume
		}
		if paused {
			pause = 0
		} else {
			r.pauses++
		}
	case !paused:
		r.pauses = 0
	}
	if v.Judgment != Undecided {
		// A lone failure says little about the provider: its event may be to blame.
		if !r.ailing.IsZero() && now.Sub(r.ailing) >= r.first {
			r.hasten(now)
		}
		r.ailing = time.Time{}
	} else if r.ailing.IsZero() {
		r.ailing = now
	}
	return pause
}

// again returns when the next call for an event is due, after one without an outcome.
func (r *waitingRoom) again(ev *Event, overloaded bool, now time.Time) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.events[ev.ID]
	switch {
	case overloaded:
		return r.resume
	case h != nil && !h.called.After(r.hastened): // the provider was not well yet
		return now.Add(r.first)
	}
	return now.Add(doubled(r.first, r.longest, ev.Check.Calls-1))
}

// hasten makes all events due. The provider is well again.
func (r *waitingRoom) hasten(now time.Time) {
	r.hastened = now
	for _, h := range r.later.events {
		if h.due.After(now) {
			h.due = now
		}
	}
	heap.Init(&r.later)
}

// hurry makes all events due: a new configuration may have mended what was wrong.
func (r *waitingRoom) hurry() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hasten(Now())
}

func (r *waitingRoom) isFilled() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.filled
}

func (r *waitingRoom) setFilled() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.filled = true
}

// line is a heap of held events.
type line struct {
	events []*heldEvent
	before func(a, b *heldEvent) bool
}

func (l *line) Len() int           { return len(l.events) }
func (l *line) Less(i, j int) bool { return l.before(l.events[i], l.events[j]) }
func (l *line) Swap(i, j int)      { l.events[i], l.events[j] = l.events[j], l.events[i] }
func (l *line) Push(h any)         { l.events = append(l.events, h.(*heldEvent)) }

func (l *line) Pop() any {
	last := len(l.events) - 1
	h := l.events[last]
	l.events[last] = nil
	l.events = l.events[:last]
	return h
}
