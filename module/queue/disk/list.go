package disk

import (
	"bytes"
	"context"
	"time"

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
			if key, _ = c.Seek(id[:]); key == nil { // it is above all
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

// readHeads reads a page of events beyond an ID. last is where the next page
// begins, zero if there is none.
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

// window is a dedup entry.
type dedupEntry struct {
	source string
	id     queue.ID
	queue.Dedup
}

// Remembered implements queue.Store.
func (s *Store) Remembered(ctx context.Context, now time.Time, yield func(source string, id queue.ID, d queue.Dedup) bool) error {
	if err := s.catchUp(ctx); err != nil {
		return err
	}
	// An entry whose window ends at now has ended.
	from := appendDedupKey(nil, now.Add(1), queue.ID{})
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		entries, last, err := s.readDedupEntries(from)
		if err != nil {
			return err
		}
		for _, w := range entries {
			if !yield(w.source, w.id, w.Dedup) {
				return nil
			}
		}
		if last == nil {
			return nil
		}
		from = append(last, 0)
	}
}

// readDedupEntries reads a page of dedup entries. last is the key that the next
// page comes after, nil if there is none. A damaged entry is passed over: all
// that it costs is that one copy may be taken for new.
func (s *Store) readDedupEntries(from []byte) (entries []dedupEntry, last []byte, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketDedup).Cursor()
		n := 0
		for key, record := c.Seek(from); key != nil; key, record = c.Next() {
			if n++; n > page {
				return nil
			}
			last = bytes.Clone(key)
			if w, err := readDedup(key, record); err == nil {
				entries = append(entries, w)
			}
		}
		last = nil
		return nil
	})
	return entries, last, err
}
