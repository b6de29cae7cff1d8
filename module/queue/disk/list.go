package disk

import (
	"bytes"
	"context"

	bolt "go.etcd.io/bbolt"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// page is how many records are read in one transaction.
const page = 256

// List implements queue.Store.
func (s *Store) List(ctx context.Context, before queue.ID, yield func(*queue.Event) bool) error {
	return s.walk(ctx, before, down, yield)
}

// Ascend implements queue.Store.
func (s *Store) Ascend(ctx context.Context, after queue.ID, yield func(*queue.Event) bool) error {
	return s.walk(ctx, after, up, yield)
}

// direction moves a cursor to the first key beyond an ID, and on from there.
type direction struct {
	start func(c *bolt.Cursor, id queue.ID) (key, record []byte)
	next  func(c *bolt.Cursor) (key, record []byte)
}

var (
	down = direction{
		start: func(c *bolt.Cursor, id queue.ID) (key, record []byte) {
			if id == (queue.ID{}) {
				return c.Last()
			}
			if key, _ = c.Seek(id[:]); key == nil { // the ID is above all keys
				return c.Last()
			}
			return c.Prev()
		},
		next: (*bolt.Cursor).Prev,
	}
	up = direction{
		start: func(c *bolt.Cursor, id queue.ID) (key, record []byte) {
			if key, record = c.Seek(id[:]); bytes.Equal(key, id[:]) {
				return c.Next()
			}
			return key, record
		},
		next: (*bolt.Cursor).Next,
	}
)

// walk yields events beyond an ID.
func (s *Store) walk(ctx context.Context, from queue.ID, way direction, yield func(*queue.Event) bool) error {
	if err := s.catchUp(ctx); err != nil {
		return err
	}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		events, last, err := s.readHeads(from, way)
		if err != nil {
			return err
		}
		for _, e := range events {
			if !yield(e) {
				return nil
			}
		}
		if last == (queue.ID{}) {
			return nil
		}
		from = last
	}
}

// readHeads reads a page of events beyond an ID. last is the ID that the next page comes
// after, zero if there is none.
func (s *Store) readHeads(from queue.ID, way direction) (events []*queue.Event, last queue.ID, err error) {
	var damaged []queue.ID
	err = s.view(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketHeads).Cursor()
		n := 0
		for key, record := way.start(c, from); key != nil; key, record = way.next(c) {
			if n++; n > page {
				return nil
			}
			last = queue.ID(key)
			e, err := readEvent(key, record)
			if err != nil {
				damaged = append(damaged, last)
				continue
			}
			events = append(events, e)
		}
		last = queue.ID{}
		return nil
	})
	for _, id := range damaged {
		s.setAside(errDamaged, id, nil)
	}
	return events, last, err
}
