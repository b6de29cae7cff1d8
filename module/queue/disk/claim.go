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
	due, err := s.peek(keys)
	for i := 0; i < len(keys) && err == nil; i++ {
		e := due[i].event
		if due[i].err != nil || e != nil && e.Request == nil {
			e, err = s.loadDue(keys[i], &due[i])
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
		var lease []byte
		for key, _ := c.Seek(prefix); bytes.HasPrefix(key, prefix); key, _ = c.Next() {
			due := timeOf(key)
			lease = appendLease(lease[:0], key)
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

// dueEvent is the event of an entry that has been leased, as far as the queue
// file has it. The entry was seen before the lease was taken, so whoever had the
// lease then may have dealt with the event: in that case it is no longer there.
type dueEvent struct {
	event *queue.Event // nil if it is not there
	at    location     // of its request
	err   error
}

// peek reads the events of entries in one transaction.
func (s *Store) peek(keys [][]byte) (events []dueEvent, err error) {
	events = make([]dueEvent, len(keys))
	return events, s.view(func(tx *bolt.Tx) error {
		for i, key := range keys {
			if e := &events[i]; isDue(tx, key) {
				e.event, e.at, e.err = load(tx, idOf(key))
			}
		}
		return nil
	})
}

func isDue(tx *bolt.Tx, key []byte) bool { return tx.Bucket(bucketDue).Get(key) != nil }

// loadDue loads the request of an event. If it is not where it was a moment ago,
// all is looked up again; what is damaged is set aside, and is nil.
func (s *Store) loadDue(key []byte, seen *dueEvent) (e *queue.Event, err error) {
	id := idOf(key)
	if f := s.files.Load(); f != nil && seen.err == nil {
		if seen.event.Request, err = f.journal.load(id, seen.at); err == nil {
			return seen.event, nil
		}
	}
	e, err = s.load(id, func(tx *bolt.Tx) bool { return isDue(tx, key) })
	if errors.Is(err, queue.ErrNotFound) {
		err = fmt.Errorf("%w: there is nothing at %s", errDamaged, id)
	}
	if errors.Is(err, errDamaged) {
		s.setAside(err, id, key)
		return nil, nil
	}
	return e, err
}

// Release implements queue.Store.
func (s *Store) Release(lane queue.Lane, id queue.ID) { s.leases.end(leaseKey(lane, id)) }
