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

// setAside moves what is left of a damaged event to where nothing trips over
// it. dueKey is the entry that led to it, if one did.
func (s *Store) setAside(cause error, id queue.ID, dueKey []byte) {
	s.logger.Error("setting a damaged event aside", zap.Stringer("event", id), zap.Error(cause))
	err := s.do(context.Background(), func(t *txn) error { return t.setAside(id, dueKey) })
	if err != nil {
		s.logger.Error("setting a damaged event aside failed", zap.Stringer("event", id), zap.Error(err))
	}
}

// intact reports whether an event loads with its request.
func (t *txn) intact(id queue.ID) bool {
	e, at, err := load(t.tx, id)
	if err != nil || e.Request != nil || t.journal == nil {
		return err == nil
	}
	_, err = t.journal.load(id, at)
	return err == nil
}

func (t *txn) setAside(id queue.ID, dueKey []byte) error {
	if t.intact(id) {
		return nil // somebody mended it
	}
	for _, bucket := range [][]byte{bucketHeads, bucketRequests} {
		record := t.tx.Bucket(bucket).Get(id[:])
		if record == nil {
			continue
		}
		record = bytes.Clone(record)
		if at, ok, err := parseLocation(id[:], record); ok && err == nil && t.journal != nil {
			if found, err := t.journal.record(at); err == nil {
				record = found
			}
		}
		key := slices.Concat(bucket, []byte{'/'}, id[:])
		if err := t.put(bucketDamaged, key, record); err != nil {
			return err
		}
	}
	if dueKey != nil {
		if err := t.delete(bucketDue, dueKey); err != nil {
			return err
		}
		t.ended = append(t.ended, leaseOf(dueKey))
	}
	if err := t.leaveAll(id); err != nil {
		return err
	}
	switch err := t.remove(id, false); {
	case errors.Is(err, queue.ErrNotFound):
		return nil
	case !errors.Is(err, errDamaged):
		return err
	}
	// Nobody can say any more what it was counted as.
	if err := t.putRequest(id[:], nil); err != nil {
		return err
	}
	if err := t.delete(bucketHeads, id[:]); err != nil {
		return err
	}
	t.recount = true
	return nil
}

// countAgain counts all events whose record can be read, and what lies in the
// journal.
func countAgain(tx *bolt.Tx) (tallies, error) {
	sum := make(tallies)
	err := tx.Bucket(bucketRequests).ForEach(func(id, record []byte) error {
		if at, ok, err := parseLocation(id, record); ok && err == nil {
			sum.add(at.tally())
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = tx.Bucket(bucketHeads).ForEach(func(id, record []byte) error {
		e := new(queue.Event)
		if unseal(id, record, e) == nil {
			sum.count(e, 1)
		}
		return nil
	})
	return sum, err
}

// readTallies reads the numbers that the last transaction stored.
func readTallies(db *bolt.DB) (tallies, error) {
	sum := make(tallies)
	return sum, view(db, func(tx *bolt.Tx) error {
		return tx.Bucket(bucketTally).ForEach(func(key, record []byte) error {
			k, ok := parseTallyKey(key)
			if !ok {
				return fmt.Errorf("reading tally %x: %w", key, errDamaged)
			}
			var n [2]int64
			if err := unseal(key, record, &n); err != nil {
				return fmt.Errorf("reading tally %x: %w", key, err)
			}
			sum[k] = queue.Tally{Count: n[0], Bytes: n[1]}
			return nil
		})
	})
}

// recount replaces the stored numbers by what there is.
func (s *Store) recount(db *bolt.DB) (sum tallies, err error) {
	err = update(db, func(tx *bolt.Tx) (err error) {
		if sum, err = countAgain(tx); err != nil {
			return err
		}
		if err := tx.DeleteBucket(bucketTally); err != nil {
			return err
		}
		if _, err := tx.CreateBucket(bucketTally); err != nil {
			return err
		}
		t := &txn{tx: tx, sums: &ledger{}, changes: sum}
		return t.flush()
	})
	return sum, err
}
