package disk

import (
	"maps"
	"sync"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// tallyKey says what a tally counts. Fields that its kind has no use for are
// empty.
type tallyKey struct {
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

func (k tallyKey) append(to []byte) []byte {
	return append(appendName(appendName(append(to, k.kind), k.source), k.route), k.state...)
}

func parseTallyKey(b []byte) (k tallyKey, ok bool) {
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

// tallies are numbers of events, or changes to such numbers.
type tallies map[tallyKey]queue.Tally

func (t tallies) add(k tallyKey, n queue.Tally) {
	sum := t[k]
	sum.Count += n.Count
	sum.Bytes += n.Bytes
	if sum == (queue.Tally{}) {
		delete(t, k)
		return
	}
	t[k] = sum
}

// count is what an event adds to a tally.
type count struct {
	of tallyKey
	n  queue.Tally
}

// appendCounts appends what an event counts as. What changes most comes last.
func appendCounts(to []count, e *queue.Event) []count {
	n := queue.Tally{Count: 1, Bytes: e.Size}
	to = append(to,
		count{tallyKey{kind: countAll}, n},
		count{tallyKey{kind: countEvents, source: e.Source, state: string(e.State)}, n})
	for i := range e.Deliveries {
		d := &e.Deliveries[i]
		to = append(to, count{tallyKey{countDeliveries, e.Source, d.Route, string(d.State)}, queue.Tally{Count: 1}})
	}
	if class, _ := e.Class(); class != queue.Done {
		to = append(to,
			count{tallyKey{kind: countAllUndone}, n},
			count{tallyKey{kind: countUndelivered, source: e.Source}, n})
	}
	return to
}

// replace takes away what an event counted as before, and adds what it counts as
// after. What stays where it was in the list cancels out.
func (t tallies) replace(before, after []count) {
	for i, c := range before {
		if i >= len(after) || c != after[i] {
			t.add(c.of, queue.Tally{Count: -c.n.Count, Bytes: -c.n.Bytes})
		}
	}
	for i, c := range after {
		if i >= len(before) || c != before[i] {
			t.add(c.of, c.n)
		}
	}
}

// addAll adds the numbers of others, times sign.
func (t tallies) addAll(others tallies, sign int64) {
	for k, n := range others {
		t.add(k, queue.Tally{Count: sign * n.Count, Bytes: sign * n.Bytes})
	}
}

// count counts an event.
func (t tallies) count(e *queue.Event) {
	var some [8]count
	t.replace(nil, appendCounts(some[:0], e))
}

// ledger is what was committed, for all to ask.
type ledger struct {
	mu  sync.RWMutex
	sum tallies
}

func (l *ledger) reset(sum tallies) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sum = sum
}

func (l *ledger) apply(changes tallies) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sum.addAll(changes, 1)
}

func (l *ledger) get(k tallyKey) queue.Tally {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.sum[k]
}

func (l *ledger) undelivered(source string) (ofSource, ofAll int64) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.sum[tallyKey{kind: countUndelivered, source: source}].Bytes, l.sum[tallyKey{kind: countAllUndone}].Bytes
}

func (l *ledger) copy() tallies {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return maps.Clone(l.sum)
}

func (l *ledger) usage() queue.Usage {
	u := queue.Usage{
		Deliveries: make(map[queue.Lane]map[queue.DeliveryState]int64),
		Events:     make(map[string]map[queue.EventState]queue.Tally),
	}
	for k, n := range l.copy() {
		switch k.kind {
		case countAll:
			u.Total = n
		case countEvents:
			if u.Events[k.source] == nil {
				u.Events[k.source] = make(map[queue.EventState]queue.Tally)
			}
			u.Events[k.source][queue.EventState(k.state)] = n
		case countDeliveries:
			lane := queue.Lane{Source: k.source, Route: k.route}
			if u.Deliveries[lane] == nil {
				u.Deliveries[lane] = make(map[queue.DeliveryState]int64)
			}
			u.Deliveries[lane][queue.DeliveryState(k.state)] = n.Count
		}
	}
	return u
}
