package disk

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// The buckets of the file. Keys grow with time where possible: then a commit touches few
// pages.
var (
	bucketMeta      = []byte("meta")
	bucketHeads     = []byte("heads")    // ID -> event without its request
	bucketRequests  = []byte("requests") // ID -> request
	bucketDue       = []byte("due")      // route, due time, ID -> nothing
	bucketOrdered   = []byte("ordered")  // route, hash of a key, number -> due key; see fifo.go
	bucketPositions = []byte("places")   // ID, route -> position, a key in ordered
	bucketEnded     = []byte("ended")    // class, time, ID -> nothing
	bucketDedup     = []byte("dedup")    // end of the window, ID -> dedup entry
	bucketCounters  = []byte("tally")    // counterKey -> queue.Counter
	bucketDamaged   = []byte("damaged")  // bucket, key -> the record that was found there
	bucketPaused    = []byte("paused")   // route -> true
)

var buckets = [][]byte{
	bucketMeta, bucketHeads, bucketRequests, bucketDue, bucketOrdered, bucketPositions, bucketEnded, bucketDedup, bucketCounters,
	bucketDamaged, bucketPaused,
}

const (
	idSize   = len(queue.ID{})
	timeSize = 8
	maxName  = 1 << 10 // of a source or a route, so that keys stay small
)

// entry is an entry of one of the indexes: due, ordered, ended or dedup. An entry of
// ordered gets the number in its key when it is enqueued. Its value is the due key, or
// nothing for a dead letter.
type entry struct {
	bucket     []byte
	key, value []byte
}

func (e entry) in(bucket []byte) bool { return &e.bucket[0] == &bucket[0] }

// replaces reports whether both entries have the same key.
func (e entry) replaces(other entry) bool {
	return e.in(other.bucket) && bytes.Equal(e.key, other.key)
}

func (e entry) same(other entry) bool {
	return e.replaces(other) && bytes.Equal(e.value, other.value)
}

// nothing is the value of entries that have none. It is not nil: bbolt returns nil for
// keys that it does not have.
var nothing = []byte{}

// listing are index entries, and the memory of their keys and values. It only grows, so
// that earlier entries stay valid.
type listing struct {
	entries []entry
	buf     []byte
}

// tail returns what was appended to buf from start on.
func (l *listing) tail(start int) []byte { return l.buf[start:len(l.buf):len(l.buf)] }

// add adds the index entries of an event.
func (l *listing) add(e *queue.Event) error {
	if len(e.Source) > maxName {
		return fmt.Errorf("name of source has %d bytes, the most is %d", len(e.Source), maxName)
	}
	start := len(l.buf)
	if e.State == queue.Held {
		l.buf = appendDueKey(l.buf, queue.RouteKey{Source: e.Source}, e.Check.Due, e.ID)
		l.entries = append(l.entries, entry{bucketDue, l.tail(start), nothing})
	}
	for i := range e.Deliveries {
		if err := l.addDelivery(e, &e.Deliveries[i]); err != nil {
			return err
		}
	}
	if class, since := e.Class(); class != queue.Live {
		start = len(l.buf)
		l.buf = appendEndedKey(l.buf, class, since, e.ID)
		l.entries = append(l.entries, entry{bucketEnded, l.tail(start), nothing})
	}
	if e.Dedup != (queue.Dedup{}) {
		start = len(l.buf)
		l.buf = appendDedupKey(l.buf, e.Dedup.Until, e.ID)
		key := l.tail(start)
		start = len(l.buf)
		l.buf = appendDedup(l.buf, key, e)
		l.entries = append(l.entries, entry{bucketDedup, key, l.tail(start)})
	}
	return nil
}

// addDelivery adds the index entry of a delivery that is pending or in a FIFO.
func (l *listing) addDelivery(e *queue.Event, d *queue.Delivery) error {
	if len(d.Route) > maxName {
		return fmt.Errorf("name of route has %d bytes, the most is %d", len(d.Route), maxName)
	}
	route, due := queue.RouteKey{Source: e.Source, Route: d.Route}, nothing
	if d.State == queue.Pending {
		start := len(l.buf)
		l.buf = appendDueKey(l.buf, route, d.Due, e.ID)
		due = l.tail(start)
	}
	if d.InFIFO() {
		start := len(l.buf)
		l.buf = appendFIFO(l.buf, route, d.Key)
		l.entries = append(l.entries, entry{bucketOrdered, l.tail(start), due})
	} else if d.State == queue.Pending {
		l.entries = append(l.entries, entry{bucketDue, due, nothing})
	}
	return nil
}

func appendDueKey(key []byte, route queue.RouteKey, due time.Time, id queue.ID) []byte {
	return append(appendTime(appendRoute(key, route), due), id[:]...)
}

// appendRoute appends what the due keys of a route, and of no other, begin with.
func appendRoute(key []byte, route queue.RouteKey) []byte {
	return appendName(appendName(key, route.Source), route.Route)
}

func appendEndedKey(key []byte, class queue.Class, since time.Time, id queue.ID) []byte {
	return append(appendTime(append(key, byte(class)), since), id[:]...)
}

// idOf returns the ID that an index key ends with.
func idOf(key []byte) queue.ID { return queue.ID(key[len(key)-idSize:]) }

// timeOf returns the time that stands before the ID in an index key.
func timeOf(key []byte) time.Time {
	nanos := binary.BigEndian.Uint64(key[len(key)-idSize-timeSize:])
	return time.Unix(0, int64(nanos^1<<63)).UTC()
}

var (
	earliest = time.Unix(0, math.MinInt64)
	latest   = time.Unix(0, math.MaxInt64)
)

// appendTime appends eight bytes that sort as times do.
func appendTime(key []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint64(key, uint64(nanoseconds(t))^1<<63)
}

// nanoseconds returns the Unix time. A time that has no such number, like the zero time,
// counts as the nearest one that has.
func nanoseconds(t time.Time) int64 {
	switch {
	case t.Before(earliest):
		return math.MinInt64
	case t.After(latest):
		return math.MaxInt64
	}
	return t.UnixNano()
}

func appendName(key []byte, name string) []byte {
	return append(binary.BigEndian.AppendUint16(key, uint16(len(name))), name...)
}

func cutName(key []byte) (name string, rest []byte, ok bool) {
	if len(key) < 2 {
		return "", nil, false
	}
	n := 2 + int(binary.BigEndian.Uint16(key))
	if len(key) < n {
		return "", nil, false
	}
	return string(key[2:n]), key[n:], true
}
