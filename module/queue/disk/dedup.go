package disk

import (
	"bytes"
	"context"
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

// appendDedup appends the record of a dedup entry, which outlives its event: key, half of
// the body's digest, and source. If there is a digest, a zero byte and its other half
// follow. Another hash of the body stood in the place of the first half once, and no other
// half.
func appendDedup(buf, key []byte, e *queue.Event) []byte {
	start := len(buf)
	first, second := e.Dedup.Body[:halfDigest], e.Dedup.Body[halfDigest:]
	buf = append(append(openRecord(buf), e.Dedup.Key[:]...), first...)
	buf = append(buf, e.Source...)
	if e.Dedup.Body != (queue.BodyDigest{}) {
		buf = append(append(buf, 0), second...)
	}
	seal(key, buf[start:])
	return buf
}

const halfDigest = len(queue.BodyDigest{}) / 2

// readDedup reads a dedup entry.
func readDedup(key, record []byte) (d dedupEntry, err error) {
	content, err := unseal(key, record)
	if err != nil {
		return d, err
	}
	const fixed = len(d.Key) + halfDigest
	if len(content) < fixed || len(key) < idSize+timeSize {
		return d, errDamaged
	}
	d.id, d.Until = idOf(key), timeOf(key)
	copy(d.Key[:], content)
	source, second, digested := bytes.Cut(content[fixed:], []byte{0}) // no name has a zero byte
	d.source = string(source)
	if digested && len(second) != halfDigest {
		return d, errDamaged
	}
	if digested {
		copy(d.Body[:], content[len(d.Key):fixed])
		copy(d.Body[halfDigest:], second)
	}
	return d, nil
}

func appendDedupKey(key []byte, until time.Time, id queue.ID) []byte {
	return append(appendTime(key, until), id[:]...)
}
