package disk

import (
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// txn is a transaction of the committer. Its operations look before they
// write: one that fails before its first write has done no harm to the others.
type txn struct {
	tx      *bolt.Tx
	sums    *ledger
	changes tallies  // that the transaction makes to sums
	ended   []string // leases that end when it is committed
	applied uint64   // frame of the journal that is in the queue file then
	writes  int
	listing listing // of what is changed; bbolt holds on to parts of it
}

// unchanged reports whether there is nothing to commit.
func (t *txn) unchanged() bool { return t.writes == 0 && t.applied == 0 }

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

// insert stores a new event under its entries. One that is there already is
// left as it is.
func (t *txn) insert(in *insertion) error {
	t.applied = max(t.applied, in.seq)
	id := in.event.ID[:]
	if t.tx.Bucket(bucketHeads).Get(id) != nil {
		return nil
	}
	if err := t.put(bucketRequests, id, in.request); err != nil {
		return err
	}
	if err := t.put(bucketHeads, id, in.head); err != nil {
		return err
	}
	if err := t.reindex(in.event.ID, nil, in.entries); err != nil {
		return err
	}
	t.changes.count(in.event, 1)
	return nil
}

// update loads an event, has it changed, and stores it again.
func (t *txn) update(id queue.ID, change func(*queue.Event) error) error {
	e, err := loadHead(t.tx, id)
	if err != nil {
		return err
	}
	l := &t.listing
	l.entries = l.entries[:0]
	if err := l.add(e); err != nil {
		return err
	}
	before := l.entries
	changes := make(tallies)
	changes.count(e, -1)
	source, size := e.Source, e.Size
	if err := change(e); err != nil {
		return err
	}
	if e.ID != id || e.Source != source || e.Size != size {
		return fmt.Errorf("changing event %s: its ID, source and size are fixed", id)
	}
	if err := l.add(e); err != nil {
		return err
	}
	after := l.entries[len(before):]
	start := len(l.buf)
	l.buf = appendEvent(openRecord(l.buf), e)
	head := seal(id[:], l.tail(start))
	if err := t.put(bucketHeads, id[:], head); err != nil {
		return err
	}
	if err := t.reindex(id, before, after); err != nil {
		return err
	}
	changes.count(e, 1)
	t.changes.addAll(changes, 1)
	return nil
}

// remove deletes an event. Expiry keeps its dedup entry, because the window is
// longer than the retention if so configured.
func (t *txn) remove(id queue.ID, keepDedup bool) error {
	e, err := loadHead(t.tx, id)
	if err != nil {
		return err
	}
	t.listing.entries = t.listing.entries[:0]
	if err := t.listing.add(e); err != nil {
		return err
	}
	entries := t.listing.entries
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
	t.changes.count(e, -1)
	return nil
}

// reindex replaces the entries of an event. A lease ends with its due entry.
func (t *txn) reindex(id queue.ID, before, after []entry) (err error) {
	for _, e := range without(before, after) {
		switch {
		case e.in(bucketDue):
			err = t.exit(e.key)
		case !e.in(bucketOrdered):
			err = t.delete(e.bucket, e.key)
		case !contains(after, e): // else it moves
			err = t.leave(id, e.key)
		}
		if err != nil {
			return err
		}
	}
	for _, e := range without(after, before) {
		switch {
		case !e.in(bucketOrdered):
			err = t.put(e.bucket, e.key, e.value)
		case contains(before, e):
			err = t.move(id, e)
		default:
			err = t.join(id, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// flush stores the tallies that the transaction changed, and how far it has
// got in the journal.
func (t *txn) flush() error {
	if t.applied > 0 {
		if err := t.putMeta(keyApplied, t.applied); err != nil {
			return err
		}
	}
	for k, change := range t.changes {
		sum := tallies{k: t.sums.get(k)}
		sum.add(k, change)
		if err := t.putTally(k, sum[k]); err != nil {
			return err
		}
	}
	return nil
}

func (t *txn) putMeta(key []byte, value uint64) error {
	return t.put(bucketMeta, key, sealNumbers(key, value))
}

func (t *txn) putTally(k tallyKey, n queue.Tally) error {
	key := k.bytes()
	if n == (queue.Tally{}) {
		return t.delete(bucketTally, key)
	}
	return t.put(bucketTally, key, sealNumbers(key, uint64(n.Count), uint64(n.Bytes)))
}

// loadHead loads an event without its request.
func loadHead(tx *bolt.Tx, id queue.ID) (*queue.Event, error) {
	record := tx.Bucket(bucketHeads).Get(id[:])
	if record == nil {
		return nil, queue.ErrNotFound
	}
	e, err := readEvent(id[:], record)
	if err != nil {
		return nil, fmt.Errorf("loading event %s: %w", id, err)
	}
	return e, nil
}

// load loads an event with its request.
func load(tx *bolt.Tx, id queue.ID) (*queue.Event, error) {
	e, err := loadHead(tx, id)
	if err != nil {
		return nil, err
	}
	if e.Request, err = readRequest(id[:], tx.Bucket(bucketRequests).Get(id[:])); err != nil {
		return nil, fmt.Errorf("loading request of event %s: %w", id, err)
	}
	return e, nil
}
