package disk

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// The buckets of the file. Their keys grow with time, because that is what
// keeps the number of pages that a commit touches small.
var (
	bucketMeta     = []byte("meta")
	bucketHeads    = []byte("heads")    // ID -> event without its request
	bucketRequests = []byte("requests") // ID -> request
	bucketDue      = []byte("due")      // lane, due time, ID -> nothing
	bucketOrdered  = []byte("ordered")  // lane, hash of a key, number -> due key; see order.go
	bucketPlaces   = []byte("places")   // ID, lane -> key in ordered
	bucketEnded    = []byte("ended")    // class, time, ID -> nothing
	bucketDedup    = []byte("dedup")    // end of the window, ID -> remembered
	bucketTally    = []byte("tally")    // tallyKey -> queue.Tally
	bucketDamaged  = []byte("damaged")  // bucket, key -> what was found there
	bucketPaused   = []byte("paused")   // lane -> true
)

var buckets = [][]byte{
	bucketMeta, bucketHeads, bucketRequests, bucketDue, bucketOrdered, bucketPlaces, bucketEnded, bucketDedup, bucketTally,
	bucketDamaged, bucketPaused,
}

const (
	idSize   = len(queue.ID{})
	timeSize = 8
	maxName  = 1 << 10 // of a source or a route, so that keys stay small
)

// entry is a key in one of the indexes: due, ordered, ended, dedup.
type entry struct {
	bucket     []byte
	key, value []byte
}

func (e entry) in(bucket []byte) bool { return &e.bucket[0] == &bucket[0] }

func (e entry) equals(other entry) bool {
	return e.in(other.bucket) && bytes.Equal(e.key, other.key)
}

// contains reports whether entries has one with the same key.
func contains(entries []entry, e entry) bool { return slices.ContainsFunc(entries, e.equals) }

// nothing is the value of entries that are all key. It is not nil, which is
// what bbolt returns for keys that are not there.
var nothing = []byte{}

// remember returns the record of a dedup entry, which outlives its event: key and
// hash of the body, and then the source.
func remember(key []byte, e *queue.Event) []byte {
	record := append(openRecord(nil), e.Dedup.Key[:]...)
	record = binary.BigEndian.AppendUint64(record, e.Dedup.Body)
	return seal(key, append(record, e.Source...))
}

// recall reads a dedup entry.
func recall(key, record []byte) (w window, err error) {
	content, err := unseal(key, record)
	if err != nil {
		return w, err
	}
	const fixed = len(w.Key) + 8
	if len(content) < fixed || len(key) < idSize+timeSize {
		return w, errDamaged
	}
	w.id, w.Until = idOf(key), timeOf(key)
	w.Body = binary.BigEndian.Uint64(content[copy(w.Key[:], content):])
	w.source = string(content[fixed:])
	return w, nil
}

// index returns the entries that lead to an event.
func index(e *queue.Event) (entries []entry, err error) {
	if len(e.Source) > maxName {
		return nil, fmt.Errorf("name of source has %d bytes, the most is %d", len(e.Source), maxName)
	}
	entries = make([]entry, 0, len(e.Deliveries)+2)
	for lane, due := range e.Waiting {
		if len(lane.Route) > maxName {
			return nil, fmt.Errorf("name of route has %d bytes, the most is %d", len(lane.Route), maxName)
		}
		if d := e.Delivery(lane.Route); d == nil || !d.InLine() {
			entries = append(entries, entry{bucketDue, dueKey(lane, due, e.ID), nothing})
		}
	}
	for i := range e.Deliveries {
		if d := &e.Deliveries[i]; d.InLine() {
			entries = append(entries, turn(e, d))
		}
	}
	if class, since := e.Class(); class != queue.Live {
		entries = append(entries, entry{bucketEnded, endedKey(class, since, e.ID), nothing})
	}
	if e.Dedup != (queue.Dedup{}) {
		key := dedupKey(e.Dedup.Until, e.ID)
		entries = append(entries, entry{bucketDedup, key, remember(key, e)})
	}
	return entries, nil
}

// without returns the entries that others lacks.
func without(entries, others []entry) (rest []entry) {
	if len(others) == 0 {
		return entries
	}
next:
	for _, e := range entries {
		for _, o := range others {
			if e.equals(o) && bytes.Equal(e.value, o.value) {
				continue next
			}
		}
		rest = append(rest, e)
	}
	return rest
}

func dueKey(lane queue.Lane, due time.Time, id queue.ID) []byte {
	return append(appendTime(lanePrefix(lane), due), id[:]...)
}

// lanePrefix is what the due keys of a lane, and of no other, begin with.
func lanePrefix(lane queue.Lane) []byte {
	key := make([]byte, 0, 4+len(lane.Source)+len(lane.Route)+timeSize+idSize)
	return appendName(appendName(key, lane.Source), lane.Route)
}

func endedKey(class queue.Class, since time.Time, id queue.ID) []byte {
	key := make([]byte, 0, 1+timeSize+idSize)
	return append(appendTime(append(key, byte(class)), since), id[:]...)
}

func dedupKey(until time.Time, id queue.ID) []byte {
	key := make([]byte, 0, timeSize+idSize)
	return append(appendTime(key, until), id[:]...)
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

// nanoseconds returns the Unix time. Times that nanoseconds cannot express, like
// the zero time, become the nearest one.
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
