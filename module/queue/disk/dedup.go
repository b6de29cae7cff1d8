package disk

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// dedupEntry is an entry of a dedup window.
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
	// A window that ends at now has ended.
	from := appendDedupKey(nil, now.Add(1), queue.ID{})
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		entries, last, err := s.readDedupEntries(from)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if !yield(e.source, e.id, e.Dedup) {
				return nil
			}
		}
		if last == nil {
			return nil
		}
		from = append(last, 0)
	}
}

// readDedupEntries reads a page of dedup entries. last is the key that the next page
// comes after, nil if there is none. A damaged entry is skipped: at worst a copy of its
// delivery is taken for new.
func (s *Store) readDedupEntries(from []byte) (entries []dedupEntry, last []byte, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketDedup).Cursor()
		n := 0
		for key, record := c.Seek(from); key != nil; key, record = c.Next() {
			if n++; n > page {
				return nil
			}
			last = bytes.Clone(key)
			if d, err := readDedup(key, record); err == nil {
				entries = append(entries, d)
			}
		}
		last = nil
		return nil
	})
	return entries, last, err
}

// appendDedup appends the record of a dedup entry, which outlives its event: key,
// hash of the body, and source.
func appendDedup(buf, key []byte, e *queue.Event) []byte {
	start := len(buf)
	buf = append(openRecord(buf), e.Dedup.Key[:]...)
	buf = binary.BigEndian.AppendUint64(buf, e.Dedup.Body)
	buf = append(buf, e.Source...)
	seal(key, buf[start:])
	return buf
}

// readDedup reads a dedup entry.
func readDedup(key, record []byte) (d dedupEntry, err error) {
	content, err := unseal(key, record)
	if err != nil {
		return d, err
	}
	const fixed = len(d.Key) + 8
	if len(content) < fixed || len(key) < idSize+timeSize {
		return d, errDamaged
	}
	d.id, d.Until = idOf(key), timeOf(key)
	d.Body = binary.BigEndian.Uint64(content[copy(d.Key[:], content):])
	d.source = string(content[fixed:])
	return d, nil
}

func appendDedupKey(key []byte, until time.Time, id queue.ID) []byte {
	return append(appendTime(key, until), id[:]...)
}
