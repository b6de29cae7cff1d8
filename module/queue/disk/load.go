package disk

import (
	"bytes"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// eventReader loads events in one transaction.
type eventReader struct {
	heads, requests *bolt.Cursor
}

func openReader(tx *bolt.Tx) eventReader {
	return eventReader{tx.Bucket(bucketHeads).Cursor(), tx.Bucket(bucketRequests).Cursor()}
}

// load loads an event with its request.
func (r eventReader) load(id queue.ID) (*queue.Event, error) {
	e, err := loadHead(find(r.heads, id[:]), id)
	if err != nil {
		return nil, err
	}
	if e.Request, err = readRequest(id[:], find(r.requests, id[:])); err != nil {
		return nil, fmt.Errorf("loading request of event %s: %w", id, err)
	}
	return e, nil
}

// loadHead decodes the head of an event. A nil record is that of an event that is not
// there.
func loadHead(record []byte, id queue.ID) (*queue.Event, error) {
	if record == nil {
		return nil, queue.ErrNotFound
	}
	e, err := readEvent(id[:], record)
	if err != nil {
		return nil, fmt.Errorf("loading event %s: %w", id, err)
	}
	return e, nil
}

// find returns the value of a key, nil if the bucket does not have the key. Many calls
// with one cursor take less memory than as many of Bucket.Get.
func find(c *bolt.Cursor, key []byte) []byte {
	if found, value := c.Seek(key); bytes.Equal(found, key) {
		return value
	}
	return nil
}
