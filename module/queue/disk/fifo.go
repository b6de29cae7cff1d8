package disk

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// Deliveries of a route that have the same key stand in a fifo, in the order in
// which they joined it. Only the first one has an entry in due: it may be
// claimed, unless it is a dead letter that holds the key. When it leaves, the
// next one gets its entry in the same transaction. So a claim never meets one
// that must wait for its turn, however many there are.

const (
	hashSize   = 16
	numberSize = 8 // of a position in a fifo
)

// appendFIFO appends what the keys of a fifo, and of no other, begin with.
func appendFIFO(to []byte, route queue.RouteKey, key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return append(appendRoute(to, route), sum[:hashSize]...)
}

// positionKey is where the position of an event in a fifo is kept.
func positionKey(id queue.ID, fifo []byte) []byte {
	return append(id[:len(id):len(id)], fifo[:len(fifo)-hashSize]...)
}

// fifoOf returns the fifo of a position.
func fifoOf(position []byte) []byte { return position[:len(position)-numberSize] }

// join puts an event at the end of a fifo.
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
	if b.Sequence() == 0 { // a new bucket, or one that was copied without it
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

// move gives an event that is in a fifo another due time there, or has it hold
// the fifo, or hold it no more. Its position stays.
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

// leave takes an event out of a fifo, whose next one may come then.
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

// dequeueAll takes an event that cannot be read out of all fifos.
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

// enter makes it the turn of the delivery that a due key stands for.
func (t *txn) startTurn(dueKey []byte) error {
	if len(dueKey) == 0 {
		return nil
	}
	return t.put(bucketDue, dueKey, nothing)
}

// exit ends the turn of a delivery, and with it the lease.
func (t *txn) endTurn(dueKey []byte) error {
	if len(dueKey) == 0 {
		return nil
	}
	t.ended = append(t.ended, leaseOf(dueKey))
	return t.delete(bucketDue, dueKey)
}

// first returns the first position of a fifo, nil if it is empty, and its value.
func (t *txn) first(fifo []byte) (position, value []byte) {
	position, value = t.tx.Bucket(bucketOrdered).Cursor().Seek(fifo)
	if !bytes.HasPrefix(position, fifo) {
		return nil, nil
	}
	return bytes.Clone(position), bytes.Clone(value)
}
