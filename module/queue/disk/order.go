package disk

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// Deliveries of a lane that have the same key stand in a line, in the order in
// which they joined it. Only the first one has an entry in due: it may be
// claimed, unless it is a dead letter that holds the key. When it leaves, the
// next one gets its entry in the same transaction. So a claim never meets one
// that must wait for its turn, however many there are.

const (
	hashSize   = 16
	numberSize = 8 // of a place in a line
)

// appendLine appends what the keys of a line, and of no other, begin with.
func appendLine(to []byte, lane queue.Lane, key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return append(appendLane(to, lane), sum[:hashSize]...)
}

// placeKey is where the place of an event in a line is kept.
func placeKey(id queue.ID, line []byte) []byte {
	return append(id[:len(id):len(id)], line[:len(line)-hashSize]...)
}

// lineOf returns the line of a place.
func lineOf(place []byte) []byte { return place[:len(place)-numberSize] }

// join puts an event at the end of a line.
func (t *txn) join(id queue.ID, e entry) error {
	number, err := t.number()
	if err != nil {
		return err
	}
	first, _ := t.first(e.key)
	place := binary.BigEndian.AppendUint64(bytes.Clone(e.key), number)
	if err := t.put(bucketPlaces, placeKey(id, e.key), place); err != nil {
		return err
	}
	if err := t.put(bucketOrdered, place, e.value); err != nil {
		return err
	}
	if first != nil {
		return nil
	}
	return t.enter(e.value)
}

// number returns a number that is greater than that of any place.
func (t *txn) number() (uint64, error) {
	b := t.tx.Bucket(bucketOrdered)
	if b.Sequence() == 0 { // a new bucket, or one that was copied without it
		greatest := uint64(0)
		c := b.Cursor()
		for place, _ := c.First(); place != nil; place, _ = c.Next() {
			greatest = max(greatest, binary.BigEndian.Uint64(place[len(place)-numberSize:]))
		}
		if err := b.SetSequence(greatest); err != nil {
			return 0, err
		}
	}
	t.writes++
	return b.NextSequence()
}

// move gives an event that is in a line another due time there, or has it hold
// the line, or hold it no more. Its place stays.
func (t *txn) move(id queue.ID, e entry) error {
	place := bytes.Clone(t.tx.Bucket(bucketPlaces).Get(placeKey(id, e.key)))
	if place == nil {
		return t.join(id, e)
	}
	first, before := t.first(e.key)
	if err := t.put(bucketOrdered, place, e.value); err != nil {
		return err
	}
	if !bytes.Equal(first, place) {
		return nil
	}
	if err := t.exit(before); err != nil {
		return err
	}
	return t.enter(e.value)
}

// leave takes an event out of a line, whose next one may come then.
func (t *txn) leave(id queue.ID, line []byte) error {
	key := placeKey(id, line)
	place := bytes.Clone(t.tx.Bucket(bucketPlaces).Get(key))
	if place == nil {
		return nil
	}
	first, value := t.first(line)
	if err := t.delete(bucketPlaces, key); err != nil {
		return err
	}
	if err := t.delete(bucketOrdered, place); err != nil {
		return err
	}
	if !bytes.Equal(first, place) {
		return nil
	}
	if err := t.exit(value); err != nil {
		return err
	}
	_, next := t.first(line)
	return t.enter(next)
}

// leaveAll takes an event that cannot be read out of all lines.
func (t *txn) leaveAll(id queue.ID) error {
	var lines [][]byte
	c := t.tx.Bucket(bucketPlaces).Cursor()
	for key, place := c.Seek(id[:]); bytes.HasPrefix(key, id[:]); key, place = c.Next() {
		lines = append(lines, bytes.Clone(lineOf(place)))
	}
	for _, line := range lines {
		if err := t.leave(id, line); err != nil {
			return err
		}
	}
	return nil
}

// enter makes it the turn of the delivery that a due key stands for.
func (t *txn) enter(dueKey []byte) error {
	if len(dueKey) == 0 {
		return nil
	}
	return t.put(bucketDue, dueKey, nothing)
}

// exit ends the turn of a delivery, and with it the lease.
func (t *txn) exit(dueKey []byte) error {
	if len(dueKey) == 0 {
		return nil
	}
	t.ended = append(t.ended, leaseOf(dueKey))
	return t.delete(bucketDue, dueKey)
}

// first returns the first place of a line, nil if it is empty, and its value.
func (t *txn) first(line []byte) (place, value []byte) {
	place, value = t.tx.Bucket(bucketOrdered).Cursor().Seek(line)
	if !bytes.HasPrefix(place, line) {
		return nil, nil
	}
	return bytes.Clone(place), bytes.Clone(value)
}
