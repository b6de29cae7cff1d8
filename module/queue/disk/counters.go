package disk

import (
	"maps"
	"sync"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// counterKey says what a counter counts. A kind leaves the fields empty that it does not
// need.
type counterKey struct {
	kind          byte
	source, route string
	state         string
}

const (
	countEvents      = 'e' // by source and state
	countDeliveries  = 'd' // by source, route and state
	countUndelivered = 'u' // events that are not Done, by source
	countAll         = 'E'
	countAllUndone   = 'U'
)

func (k counterKey) append(to []byte) []byte {
	return append(appendName(appendName(append(to, k.kind), k.source), k.route), k.state...)
}

func parseCounterKey(b []byte) (k counterKey, ok bool) {
	if len(b) == 0 {
		return k, false
	}
	rest := b[1:]
	k.kind = b[0]
	if k.source, rest, ok = cutName(rest); !ok {
		return k, false
	}
	if k.route, rest, ok = cutName(rest); !ok {
		return k, false
	}
	k.state = string(rest)
	return k, true
}

// counters are numbers of events, or changes of such numbers.
type counters map[counterKey]queue.Counter

func (c counters) add(k counterKey, n queue.Counter) {
	sum := c[k]
	sum.Count += n.Count
	sum.Bytes += n.Bytes
	if sum == (queue.Counter{}) {
		delete(c, k)
		return
	}
	c[k] = sum
}

// increment is what an event adds to one counter.
type increment struct {
	of counterKey
	n  queue.Counter
}

// appendIncrements appends what an event adds to counters. What changes most comes last.
func appendIncrements(to []increment, e *queue.Event) []increment {
	n := queue.Counter{Count: 1, Bytes: e.Size}
	to = append(to,
		increment{counterKey{kind: countAll}, n},
		increment{counterKey{kind: countEvents, source: e.Source, state: string(e.State)}, n})
	for i := range e.Deliveries {
		d := &e.Deliveries[i]
		to = append(to, increment{counterKey{countDeliveries, e.Source, d.Route, string(d.State)}, queue.Counter{Count: 1}})
	}
	if class, _ := e.Class(); class != queue.Done {
		to = append(to,
			increment{counterKey{kind: countAllUndone}, n},
			increment{counterKey{kind: countUndelivered, source: e.Source}, n})
	}
	return to
}

// replace takes away what an event added before, and adds what it adds now. Increments
// that stay at their place in the list cancel out.
func (c counters) replace(before, after []increment) {
	for i, inc := range before {
		if i >= len(after) || inc != after[i] {
			c.add(inc.of, queue.Counter{Count: -inc.n.Count, Bytes: -inc.n.Bytes})
		}
	}
	for i, inc := range after {
		if i >= len(before) || inc != before[i] {
			c.add(inc.of, inc.n)
		}
	}
}

// addAll adds other counters, times sign.
func (c counters) addAll(others counters, sign int64) {
	for k, n := range others {
		c.add(k, queue.Counter{Count: sign * n.Count, Bytes: sign * n.Bytes})
	}
}

// count adds an event.
func (c counters) count(e *queue.Event) {
	var some [8]increment
	c.replace(nil, appendIncrements(some[:0], e))
}

// sharedCounters are the counters as of the last commit, for all goroutines.
type sharedCounters struct {
	mu  sync.RWMutex
	sum counters
}

func (s *sharedCounters) reset(sum counters) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sum = sum
}

func (s *sharedCounters) apply(changes counters) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sum.addAll(changes, 1)
}

func (s *sharedCounters) get(k counterKey) queue.Counter {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.sum[k]
}

func (s *sharedCounters) undelivered(source string) (ofSource, ofAll int64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.sum[counterKey{kind: countUndelivered, source: source}].Bytes, s.sum[counterKey{kind: countAllUndone}].Bytes
}

func (s *sharedCounters) copy() counters {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return maps.Clone(s.sum)
}

func (s *sharedCounters) usage() queue.Usage {
	u := queue.Usage{
		Deliveries: make(map[queue.RouteKey]map[queue.DeliveryState]int64),
		Events:     make(map[string]map[queue.EventState]queue.Counter),
	}
	for k, n := range s.copy() {
		switch k.kind {
		case countAll:
			u.Total = n
		case countEvents:
			if u.Events[k.source] == nil {
				u.Events[k.source] = make(map[queue.EventState]queue.Counter)
			}
			u.Events[k.source][queue.EventState(k.state)] = n
		case countDeliveries:
			route := queue.RouteKey{Source: k.source, Route: k.route}
			if u.Deliveries[route] == nil {
				u.Deliveries[route] = make(map[queue.DeliveryState]int64)
			}
			u.Deliveries[route][queue.DeliveryState(k.state)] = n.Count
		}
	}
	return u
}
