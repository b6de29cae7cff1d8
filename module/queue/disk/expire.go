package disk

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// Expire implements queue.Store.
func (s *Store) Expire(ctx context.Context, now time.Time, keep queue.Retention) error {
	const whatever = -1 // no limit of bytes
	sweeps := []func(*txn) (more bool, err error){
		func(t *txn) (bool, error) { return t.expire(queue.Done, now.Add(-keep.Done), whatever) },
		func(t *txn) (bool, error) { return t.expire(queue.Failed, now.Add(-keep.Failed), whatever) },
		func(t *txn) (bool, error) { return t.forget(now) },
	}
	if keep.MaxBytes > 0 {
		sweeps = append(sweeps, func(t *txn) (bool, error) { return t.expire(queue.Done, latest, keep.MaxBytes) })
	}
	for _, some := range sweeps {
		if err := s.sweep(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

// sweep repeats an operation, each time in a transaction, while there is more to do.
func (s *Store) sweep(ctx context.Context, some func(*txn) (more bool, err error)) error {
	for more := true; more; {
		err := s.do(ctx, func(t *txn) (err error) {
			more, err = some(t)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// expire deletes a page of the events that are in a class since until or longer, oldest
// first, as long as the store holds more than limit bytes.
func (t *txn) expire(class queue.Class, until time.Time, limit int64) (more bool, err error) {
	from := []byte{byte(class)}
	to := appendEndedKey(nil, class, until.Add(1), queue.ID{})
	keys := t.keys(bucketEnded, from, to)
	for _, key := range keys {
		if t.bytes() <= limit {
			return false, nil
		}
		err := t.remove(idOf(key), true)
		if errors.Is(err, errDamaged) {
			err = t.setAside(idOf(key), nil)
		}
		if err != nil && !errors.Is(err, queue.ErrNotFound) {
			return false, err
		}
		if err := t.delete(bucketEnded, key); err != nil {
			return false, err
		}
	}
	return len(keys) == page, nil
}

// bytes returns how many bytes the store holds, the transaction's changes included.
func (t *txn) bytes() int64 {
	all := counterKey{kind: countAll}
	return t.sums.get(all).Bytes + t.changes[all].Bytes
}

// forget deletes a page of the dedup entries whose window has ended.
func (t *txn) forget(now time.Time) (more bool, err error) {
	keys := t.keys(bucketDedup, nil, appendDedupKey(nil, now.Add(1), queue.ID{}))
	for _, key := range keys {
		if err := t.delete(bucketDedup, key); err != nil {
			return false, err
		}
	}
	return len(keys) == page, nil
}

// keys returns a page of the keys in a range. They are copies: bbolt's cursors do not
// survive deletions.
func (t *txn) keys(bucket, from, to []byte) (keys [][]byte) {
	c := t.tx.Bucket(bucket).Cursor()
	for key, _ := c.Seek(from); key != nil && bytes.Compare(key, to) < 0 && len(keys) < page; key, _ = c.Next() {
		keys = append(keys, bytes.Clone(key))
	}
	return keys
}
