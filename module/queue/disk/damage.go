package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// checked sets the event aside if err says that it is damaged.
func (s *Store) checked(err error, id queue.ID) error {
	if errors.Is(err, errDamaged) {
		s.setAside(err, id, nil)
	}
	return err
}

// setAside moves the records of a damaged event into a bucket that nothing reads. dueKey
// is the key that led to the event, if one did.
func (s *Store) setAside(cause error, id queue.ID, dueKey []byte) {
	s.logger.Error("setting a damaged event aside", zap.Stringer("event", id), zap.Error(cause))
	err := s.do(context.Background(), func(t *txn) error { return t.setAside(id, dueKey) })
	if err != nil {
		s.logger.Error("setting a damaged event aside failed", zap.Stringer("event", id), zap.Error(err))
	}
}

func (t *txn) setAside(id queue.ID, dueKey []byte) error {
	if _, err := openReader(t.tx).load(id); err == nil {
		return nil // the event was mended
	}
	for _, bucket := range [][]byte{bucketHeads, bucketRequests} {
		record := t.tx.Bucket(bucket).Get(id[:])
		if record == nil {
			continue
		}
		key := slices.Concat(bucket, []byte{'/'}, id[:])
		if err := t.put(bucketDamaged, key, bytes.Clone(record)); err != nil {
			return err
		}
	}
	if dueKey != nil {
		if err := t.delete(bucketDue, dueKey); err != nil {
			return err
		}
		t.ended = append(t.ended, leaseOf(dueKey))
	}
	if err := t.dequeueAll(id); err != nil {
		return err
	}
	switch err := t.remove(id, false); {
	case errors.Is(err, queue.ErrNotFound):
		return nil
	case !errors.Is(err, errDamaged):
		return err
	}
	// Nobody knows any more which counters the event was counted in.
	if err := t.delete(bucketRequests, id[:]); err != nil {
		return err
	}
	if err := t.delete(bucketHeads, id[:]); err != nil {
		return err
	}
	sum, err := countAgain(t.tx)
	if err != nil {
		return err
	}
	sum.addAll(t.sums.copy(), -1)
	t.changes = sum
	return nil
}

// countAgain counts all events whose record can be read.
func countAgain(tx *bolt.Tx) (counters, error) {
	sum := make(counters)
	err := tx.Bucket(bucketHeads).ForEach(func(id, record []byte) error {
		if e, err := readEvent(id, record); err == nil {
			sum.count(e)
		}
		return nil
	})
	return sum, err
}

// readCounters reads the counters that the last transaction stored.
func readCounters(db *bolt.DB) (counters, error) {
	sum := make(counters)
	return sum, view(db, func(tx *bolt.Tx) error {
		return tx.Bucket(bucketCounters).ForEach(func(key, record []byte) error {
			k, ok := parseCounterKey(key)
			if !ok {
				return fmt.Errorf("reading counter %x: %w", key, errDamaged)
			}
			var events, size uint64
			if err := unsealNumbers(key, record, &events, &size); err != nil {
				return fmt.Errorf("reading counter %x: %w", key, err)
			}
			sum[k] = queue.Counter{Count: int64(events), Bytes: int64(size)}
			return nil
		})
	})
}

// recount replaces the stored counters by new ones, from all events.
func (s *Store) recount(db *bolt.DB) (sum counters, err error) {
	err = update(db, func(tx *bolt.Tx) (err error) {
		if sum, err = countAgain(tx); err != nil {
			return err
		}
		if err := tx.DeleteBucket(bucketCounters); err != nil {
			return err
		}
		if _, err := tx.CreateBucket(bucketCounters); err != nil {
			return err
		}
		t := &txn{tx: tx, sums: &sharedCounters{}, changes: sum}
		return t.flush()
	})
	return sum, err
}
