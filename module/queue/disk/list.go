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
	if err := s.catchUp(ctx); err != nil {
		return err
	}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		events, last, err := s.readHeads(before)
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
		before = last
	}
}

// readHeads reads a page of events below an ID. last is where the next page
// begins, zero if there is none.
func (s *Store) readHeads(before queue.ID) (events []*queue.Event, last queue.ID, err error) {
	var damaged []queue.ID
	err = s.view(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketHeads).Cursor()
		var key, record []byte
		if before == (queue.ID{}) {
			key, record = c.Last()
		} else if key, _ = c.Seek(before[:]); key == nil { // it is above all
			key, record = c.Last()
		} else {
			key, record = c.Prev()
		}
		for n := 0; key != nil; key, record = c.Prev() {
			if n++; n > page {
				return nil
			}
			e := new(queue.Event)
			last = queue.ID(key)
			if unseal(key, record, e) != nil {
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
type window struct {
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
	from := dedupKey(now.Add(1), queue.ID{})
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		windows, last, err := s.readWindows(from)
		if err != nil {
			return err
		}
		for _, w := range windows {
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

// readWindows reads a page of dedup entries. last is the key that the next
// page comes after, nil if there is none. A damaged entry is passed over: all
// that it costs is that one copy may be taken for new.
func (s *Store) readWindows(from []byte) (windows []window, last []byte, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketDedup).Cursor()
		n := 0
		for key, record := c.Seek(from); key != nil; key, record = c.Next() {
			if n++; n > page {
				return nil
			}
			last = bytes.Clone(key)
			var r remembered
			if err := unseal(key, record, &r); err != nil {
				continue
			}
			windows = append(windows, window{r.Source, idOf(key), queue.Dedup{Key: r.Key, Body: r.Body, Until: timeOf(key)}})
		}
		last = nil
		return nil
	})
	return windows, last, err
}
