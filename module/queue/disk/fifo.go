package disk

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// The deliveries to a route that have the same key form a FIFO, in the order in which
// they joined it. Only the first delivery of a FIFO has an entry in due, so that it may
// be claimed; a dead letter that holds the key has none. When the first delivery
// leaves, the next one gets its entry in the same transaction. So a claim never meets a
// delivery that must wait for its turn, however many there are.
//
// A position is a key in ordered: what all keys of the FIFO begin with, and a number.

const (
	hashSize   = 16
	numberSize = 8 // of a position
)

// appendFIFO appends what the positions of a FIFO, and of no other, begin with.
func appendFIFO(to []byte, route queue.RouteKey, key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return append(appendRoute(to, route), sum[:hashSize]...)
}

// positionKey is the key in places of an event's position.
func positionKey(id queue.ID, fifo []byte) []byte {
	return append(id[:len(id):len(id)], fifo[:len(fifo)-hashSize]...)
}

// fifoOf returns what all positions of a FIFO begin with.
func fifoOf(position []byte) []byte { return position[:len(position)-numberSize] }

// enqueue puts an event at the end of a FIFO.
func (t *txn) enqueue(id queue.ID, e entry) error {
	number, err := t.number()
	if err != nil {
		return err
	}
	first, _ := t.first(e.key)
	position := binary.BigEndian.AppendUint64(bytes.Clone(e.key), number)
	if err := t.put(bucketPositions, positionKey(id, e.key), position); err != nil {
		return err
	}
	if err := t.put(bucketOrdered, position, e.value); err != nil {
		return err
	}
	if first != nil {
		return nil
	}
	return t.startTurn(e.value)
}

// number returns a number that is greater than that of any position.
func (t *txn) number() (uint64, error) {
	b := t.tx.Bucket(bucketOrdered)
	if b.Sequence() == 0 { // a new bucket, or a copy of one
		greatest := uint64(0)
		c := b.Cursor()
		for position, _ := c.First(); position != nil; position, _ = c.Next() {
			greatest = max(greatest, binary.BigEndian.Uint64(position[len(position)-numberSize:]))
		}
		if err := b.SetSequence(greatest); err != nil {
			return 0, err
		}
	}
	t.writes++
	return b.NextSequence()
}

// reschedule gives an event in a FIFO another due time, or has it hold the key, or hold
// it no more. The event keeps its position.
func (t *txn) reschedule(id queue.ID, e entry) error {
	position := bytes.Clone(t.tx.Bucket(bucketPositions).Get(positionKey(id, e.key)))
	if position == nil {
		return t.enqueue(id, e)
	}
	first, before := t.first(e.key)
	if err := t.put(bucketOrdered, position, e.value); err != nil {
		return err
	}
	if !bytes.Equal(first, position) {
		return nil
	}
	if err := t.endTurn(before); err != nil {
		return err
	}
	return t.startTurn(e.value)
}

// dequeue takes an event out of a FIFO. If it was the first one, the next one's turn
// begins.
func (t *txn) dequeue(id queue.ID, fifo []byte) error {
	key := positionKey(id, fifo)
	position := bytes.Clone(t.tx.Bucket(bucketPositions).Get(key))
	if position == nil {
		return nil
	}
	first, value := t.first(fifo)
	if err := t.delete(bucketPositions, key); err != nil {
		return err
	}
	if err := t.delete(bucketOrdered, position); err != nil {
		return err
	}
	if !bytes.Equal(first, position) {
		return nil
	}
	if err := t.endTurn(value); err != nil {
		return err
	}
	_, next := t.first(fifo)
	return t.startTurn(next)
}

// dequeueAll takes an event that cannot be read out of all its FIFOs.
func (t *txn) dequeueAll(id queue.ID) error {
	var fifos [][]byte
	c := t.tx.Bucket(bucketPositions).Cursor()
	for key, position := c.Seek(id[:]); bytes.HasPrefix(key, id[:]); key, position = c.Next() {
		fifos = append(fifos, bytes.Clone(fifoOf(position)))
	}
	for _, fifo := range fifos {
		if err := t.dequeue(id, fifo); err != nil {
			return err
		}
	}
	return nil
}

// startTurn puts a due key into due, so that the delivery can be claimed. A dead letter
// has no due key.
func (t *txn) startTurn(dueKey []byte) error {
	if len(dueKey) == 0 {
		return nil
	}
	return t.put(bucketDue, dueKey, nothing)
}

// endTurn removes a due key from due, and ends the lease.
func (t *txn) endTurn(dueKey []byte) error {
	if len(dueKey) == 0 {
		return nil
	}
	t.ended = append(t.ended, leaseOf(dueKey))
	return t.delete(bucketDue, dueKey)
}

// first returns the first position of a FIFO and its value, nil if the FIFO is empty.
func (t *txn) first(fifo []byte) (position, value []byte) {
	position, value = t.tx.Bucket(bucketOrdered).Cursor().Seek(fifo)
	if !bytes.HasPrefix(position, fifo) {
		return nil, nil
	}
	return bytes.Clone(position), bytes.Clone(value)
}
