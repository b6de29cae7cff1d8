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
func (s *Store) Claim(ctx context.Context, route queue.RouteKey, now time.Time, lease time.Duration, limit int) (claimed []*queue.Event, next time.Time, err error) {
	if err := ctx.Err(); err != nil {
		return nil, time.Time{}, err
	}
	var (
		keys    [][]byte
		events  []*queue.Event
		damaged []error
	)
	err = s.view(func(tx *bolt.Tx) error {
		keys, next = s.leaseDue(tx, route, now, now.Add(lease), limit)
		if s.isLatest(tx) {
			events, damaged = loadDue(tx, keys)
		}
		return nil
	})
	if err == nil && events == nil && len(keys) > 0 {
		err = s.view(func(tx *bolt.Tx) error {
			events, damaged = loadDue(tx, keys)
			return nil
		})
	}
	if err != nil {
		for _, key := range keys {
			s.leases.end(leaseOf(key))
		}
		return nil, time.Time{}, err
	}
	for i, key := range keys {
		if damaged[i] != nil {
			s.setAside(damaged[i], idOf(key), key)
		}
		if events[i] == nil {
			s.leases.end(leaseOf(key))
			continue
		}
		claimed = append(claimed, events[i])
	}
	return claimed, next, nil
}

// leaseDue leases due events of a route, and returns their due keys. next is when the
// route's next event is due.
func (s *Store) leaseDue(tx *bolt.Tx, route queue.RouteKey, now, until time.Time, limit int) (keys [][]byte, next time.Time) {
	var buf []byte // memory of the keys
	prefix, lease := appendRoute(nil, route), leaseIn(route, queue.ID{})
	s.leases.mu.Lock()
	defer s.leases.mu.Unlock()
	c := tx.Bucket(bucketDue).Cursor()
	for key, _ := c.Seek(prefix); bytes.HasPrefix(key, prefix); key, _ = c.Next() {
		lease.id = idOf(key)
		if s.leases.until[lease].After(now) {
			continue
		}
		if due := timeOf(key); due.After(now) || len(keys) >= limit {
			return keys, due
		}
		s.leases.until[lease] = until
		start := len(buf)
		buf = append(buf, key...)
		keys = append(keys, buf[start:len(buf):len(buf)])
	}
	return keys, time.Time{}
}

// isLatest reports whether no commit has begun since the transaction has: it reads what a
// new transaction would read.
func (s *Store) isLatest(tx *bolt.Tx) bool { return s.committing.Load() == int64(tx.ID()) }

// loadDue loads the events of due keys that have been leased. The key may have been read
// before its lease was taken, and the earlier holder of the lease may have dealt with
// the event. So the key is read once more: if it has gone, the event is nil. The event
// is also nil if it is damaged.
func loadDue(tx *bolt.Tx, keys [][]byte) (events []*queue.Event, damaged []error) {
	events, damaged = make([]*queue.Event, len(keys)), make([]error, len(keys))
	due, r := tx.Bucket(bucketDue).Cursor(), openReader(tx)
	for i, key := range keys {
		if find(due, key) == nil {
			continue
		}
		e, err := r.load(idOf(key))
		switch {
		case errors.Is(err, queue.ErrNotFound):
			damaged[i] = fmt.Errorf("%w: there is nothing at %s", errDamaged, idOf(key))
		case err != nil:
			damaged[i] = err
		default:
			events[i] = e
		}
	}
	return events, damaged
}

// Lease implements queue.Store.
func (s *Store) Lease(route queue.RouteKey, id queue.ID, now time.Time, lease time.Duration) bool {
	return s.leases.take(leaseIn(route, id), now, now.Add(lease))
}

// Release implements queue.Store.
func (s *Store) Release(route queue.RouteKey, id queue.ID) { s.leases.end(leaseIn(route, id)) }
