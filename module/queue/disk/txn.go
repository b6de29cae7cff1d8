package disk

import (
	"bytes"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// txn is a transaction of the committer. An operation looks before it writes: if it fails
// before its first write, the other operations of the transaction are not harmed.
type txn struct {
	tx      *bolt.Tx
	sums    *sharedCounters
	changes counters   // of the transaction, to sums
	ended   []leaseKey // leases that end with the commit
	applied uint64     // the last frame of the journal that the queue file has after the commit
	writes  int
	heads   *bolt.Cursor // made when it is first needed
	scratch
}

// scratch is memory of a transaction. bbolt uses the memory until the transaction has
// ended.
type scratch struct {
	listing
	counts []increment
}

// emptied returns the memory for use in another transaction.
func (s scratch) emptied() scratch {
	if cap(s.buf) > maxScratch {
		return scratch{}
	}
	clear(s.entries[:cap(s.entries)])
	clear(s.counts[:cap(s.counts)])
	return scratch{listing{s.entries[:0], s.buf[:0]}, s.counts[:0]}
}

// maxScratch is how many bytes a transaction leaves to the next one.
const maxScratch = 1 << 20

// unchanged reports whether there is nothing to commit.
func (t *txn) unchanged() bool { return t.writes == 0 && t.applied == 0 }

// head returns the head of an event, nil if it is not there.
func (t *txn) head(id queue.ID) []byte {
	if t.heads == nil {
		t.heads = t.tx.Bucket(bucketHeads).Cursor()
	}
	return find(t.heads, id[:])
}

func (t *txn) put(bucket, key, value []byte) error {
	t.writes++
	b := t.tx.Bucket(bucket)
	b.FillPercent = 0.9 // keys grow
	return b.Put(key, value)
}

func (t *txn) delete(bucket, key []byte) error {
	t.writes++
	return t.tx.Bucket(bucket).Delete(key)
}

// insert stores new events and their index entries. An event that is there already stays
// as it is.
func (t *txn) insert(in *insertion) error {
	t.applied = max(t.applied, in.seq)
	first := 0
	for i := range in.events {
		e := &in.events[i]
		if err := t.insertEvent(e, in.entries[first:e.entries]); err != nil {
			return err
		}
		first = e.entries
	}
	return nil
}

func (t *txn) insertEvent(in *inserted, entries []entry) error {
	id := in.event.ID[:]
	if t.head(in.event.ID) != nil {
		return nil
	}
	if err := t.put(bucketRequests, id, in.request); err != nil {
		return err
	}
	if err := t.put(bucketHeads, id, in.head); err != nil {
		return err
	}
	if err := t.reindex(in.event.ID, nil, entries); err != nil {
		return err
	}
	t.changes.count(in.event)
	return nil
}

// update loads an event, changes it, and stores it again if it is different then.
func (t *txn) update(id queue.ID, change func(*queue.Event) error) error {
	record := t.head(id)
	e, err := loadHead(record, id)
	if err != nil {
		return err
	}
	t.entries, t.counts = t.entries[:0], t.counts[:0]
	before, countedBefore, err := t.list(e)
	if err != nil {
		return err
	}
	source, size := e.Source, e.Size
	if err := change(e); err != nil {
		return err
	}
	if e.ID != id || e.Source != source || e.Size != size {
		return fmt.Errorf("changing event %s: its ID, source and size are fixed", id)
	}
	start := len(t.buf)
	t.buf = appendEvent(openRecord(t.buf), e)
	head := seal(id[:], t.tail(start))
	if bytes.Equal(head, record) {
		return nil
	}
	after, countedAfter, err := t.list(e)
	if err != nil {
		return err
	}
	if err := t.put(bucketHeads, id[:], head); err != nil {
		return err
	}
	if err := t.reindex(id, before, after); err != nil {
		return err
	}
	t.changes.replace(countedBefore, countedAfter)
	return nil
}

// list returns the index entries of an event, and what it adds to counters.
func (t *txn) list(e *queue.Event) ([]entry, []increment, error) {
	entries, counts := len(t.entries), len(t.counts)
	err := t.listing.add(e)
	t.counts = appendIncrements(t.counts, e)
	return t.entries[entries:], t.counts[counts:], err
}

// remove deletes an event. keepDedup keeps its dedup entry: a dedup window may be longer
// than the retention.
func (t *txn) remove(id queue.ID, keepDedup bool) error {
	e, err := loadHead(t.head(id), id)
	if err != nil {
		return err
	}
	t.entries, t.counts = t.entries[:0], t.counts[:0]
	entries, counts, err := t.list(e)
	if err != nil {
		return err
	}
	if keepDedup {
		entries = slices.DeleteFunc(entries, func(e entry) bool { return e.in(bucketDedup) })
	}
	if err := t.delete(bucketHeads, id[:]); err != nil {
		return err
	}
	if err := t.delete(bucketRequests, id[:]); err != nil {
		return err
	}
	if err := t.reindex(id, entries, nil); err != nil {
		return err
	}
	t.changes.replace(counts, nil)
	return nil
}

// reindex replaces the index entries of an event. A lease ends with its due entry.
func (t *txn) reindex(id queue.ID, before, after []entry) (err error) {
	for _, e := range before {
		switch {
		case slices.ContainsFunc(after, e.same):
		case e.in(bucketDue):
			err = t.endTurn(e.key)
		case !e.in(bucketOrdered):
			err = t.delete(e.bucket, e.key)
		case !slices.ContainsFunc(after, e.replaces): // else the entry is rescheduled
			err = t.dequeue(id, e.key)
		}
		if err != nil {
			return err
		}
	}
	for _, e := range after {
		switch {
		case slices.ContainsFunc(before, e.same):
		case !e.in(bucketOrdered):
			err = t.put(e.bucket, e.key, e.value)
		case slices.ContainsFunc(before, e.replaces):
			err = t.reschedule(id, e)
		default:
			err = t.enqueue(id, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// flush stores the counters that the transaction changed, and how far it has
// got in the journal.
func (t *txn) flush() error {
	if t.applied > 0 {
		if err := t.putMeta(keyApplied, t.applied); err != nil {
			return err
		}
	}
	for k, change := range t.changes {
		sum := t.sums.get(k)
		sum.Count += change.Count
		sum.Bytes += change.Bytes
		if err := t.putCounter(k, sum); err != nil {
			return err
		}
	}
	return nil
}

func (t *txn) putMeta(key []byte, value uint64) error {
	start := len(t.buf)
	t.buf = appendNumbers(t.buf, key, value)
	return t.put(bucketMeta, key, t.tail(start))
}

func (t *txn) putCounter(k counterKey, n queue.Counter) error {
	start := len(t.buf)
	t.buf = k.append(t.buf)
	key := t.tail(start)
	if n == (queue.Counter{}) {
		return t.delete(bucketCounters, key)
	}
	start = len(t.buf)
	t.buf = appendNumbers(t.buf, key, uint64(n.Count), uint64(n.Bytes))
	return t.put(bucketCounters, key, t.tail(start))
}
