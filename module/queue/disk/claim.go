package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// Claim implements queue.Store.
func (s *Store) Claim(ctx context.Context, lane queue.Lane, now time.Time, lease time.Duration, limit int) (claimed []*queue.Event, next time.Time, err error) {
	if err := ctx.Err(); err != nil {
		return nil, time.Time{}, err
	}
	keys, next, err := s.leaseDue(lane, now, now.Add(lease), limit)
	for i := 0; i < len(keys) && err == nil; i++ {
		var e *queue.Event
		if e, err = s.loadDue(keys[i]); errors.Is(err, errDamaged) {
			s.setAside(err, idOf(keys[i]), keys[i])
			err = nil
		}
		if e != nil {
			claimed = append(claimed, e)
		} else {
			s.leases.end(leaseOf(keys[i]))
		}
	}
	if err != nil {
		for _, key := range keys {
			s.leases.end(leaseOf(key))
		}
		return nil, time.Time{}, err
	}
	return claimed, next, nil
}

// leaseDue leases entries of a lane, and says when the next one is due.
func (s *Store) leaseDue(lane queue.Lane, now, until time.Time, limit int) (keys [][]byte, next time.Time, err error) {
	prefix := lanePrefix(lane)
	err = s.view(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketDue).Cursor()
		for key, _ := c.Seek(prefix); bytes.HasPrefix(key, prefix); key, _ = c.Next() {
			due, lease := timeOf(key), leaseOf(key)
			if due.After(now) || len(keys) >= limit {
				if s.leases.taken(lease, now) {
					continue
				}
				next = due
				return nil
			}
			if s.leases.take(lease, now, until) {
				keys = append(keys, bytes.Clone(key))
			}
		}
		return nil
	})
	return keys, next, err
}

// loadDue loads the event of an entry that has been leased. The entry was seen
// before the lease was taken, so whoever had the lease then may have dealt with
// the event: in that case it is no longer there, and the result is nil.
func (s *Store) loadDue(key []byte) (e *queue.Event, err error) {
	e, err = s.load(idOf(key), func(tx *bolt.Tx) bool { return tx.Bucket(bucketDue).Get(key) != nil })
	if errors.Is(err, queue.ErrNotFound) {
		err = fmt.Errorf("%w: there is nothing at %s", errDamaged, idOf(key))
	}
	return e, err
}

// Release implements queue.Store.
func (s *Store) Release(lane queue.Lane, id queue.ID) { s.leases.end(leaseKey(lane, id)) }
