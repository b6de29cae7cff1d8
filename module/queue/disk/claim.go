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
	if err != nil {
		return nil, time.Time{}, err
	}
	events, damaged, err := s.loadDue(keys)
	for i, key := range keys {
		if damaged[i] != nil && err == nil {
			s.setAside(damaged[i], idOf(key), key)
		}
		if events[i] == nil || err != nil {
			s.leases.end(leaseOf(key))
			continue
		}
		claimed = append(claimed, events[i])
	}
	if err != nil {
		return nil, time.Time{}, err
	}
	return claimed, next, nil
}

// leaseDue leases entries of a lane, and says when the next one is due.
func (s *Store) leaseDue(lane queue.Lane, now, until time.Time, limit int) (keys [][]byte, next time.Time, err error) {
	prefix := appendLane(nil, lane)
	err = s.view(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketDue).Cursor()
		var buf []byte // for the keys
		for key, _ := c.Seek(prefix); bytes.HasPrefix(key, prefix); key, _ = c.Next() {
			due := timeOf(key)
			lease := leaseOf(key)
			if due.After(now) || len(keys) >= limit {
				if s.leases.taken(lease, now) {
					continue
				}
				next = due
				return nil
			}
			if s.leases.take(lease, now, until) {
				start := len(buf)
				buf = append(buf, key...)
				keys = append(keys, buf[start:len(buf):len(buf)])
			}
		}
		return nil
	})
	return keys, next, err
}

// loadDue loads the events of entries that have been leased. An entry was seen
// before its lease was taken, so whoever had the lease then may have dealt with
// the event: in that case it is no longer there, and the event is nil. So is one
// that is damaged.
func (s *Store) loadDue(keys [][]byte) (events []*queue.Event, damaged []error, err error) {
	events, damaged = make([]*queue.Event, len(keys)), make([]error, len(keys))
	err = s.view(func(tx *bolt.Tx) error {
		due, r := tx.Bucket(bucketDue).Cursor(), openReader(tx)
		for i, key := range keys {
			if find(due, key) == nil {
				continue
			}
			e, err := r.load(idOf(key))
			switch {
			case errors.Is(err, queue.ErrNotFound):
				damaged[i] = fmt.Errorf("%w: there is nothing at %s", errDamaged, idOf(key))
			case errors.Is(err, errDamaged):
				damaged[i] = err
			case err != nil:
				return err
			default:
				events[i] = e
			}
		}
		return nil
	})
	return events, damaged, err
}

// Release implements queue.Store.
func (s *Store) Release(lane queue.Lane, id queue.ID) { s.leases.end(leaseIn(lane, id)) }
