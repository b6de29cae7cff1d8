package disk

import (
	"bytes"
	"context"

	bolt "go.etcd.io/bbolt"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// keyPage is how many keys are read in one transaction that reads no records.
const keyPage = 16 * page

// Oldest implements queue.Store. It reads the index, and no events.
func (s *Store) Oldest(ctx context.Context) (map[queue.RouteKey]queue.ID, error) {
	if err := s.catchUp(ctx); err != nil {
		return nil, err
	}
	o := oldest{ids: make(map[queue.RouteKey]queue.ID)}
	for _, bucket := range [][]byte{bucketDue, bucketOrdered} {
		inOrder := bytes.Equal(bucket, bucketOrdered)
		for from := []byte{}; from != nil; {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			err := s.view(func(tx *bolt.Tx) error {
				from = o.read(tx.Bucket(bucket).Cursor(), from, inOrder)
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return o.ids, nil
}

// oldest finds the oldest event of each route.
type oldest struct {
	ids    map[queue.RouteKey]queue.ID
	prefix []byte // of the route that the last key belonged to
	route  queue.RouteKey
}

// read reads a page of due keys: the keys of bucketDue or, with inOrder, the values of
// bucketOrdered. It returns where the next page begins, nil if there is none.
func (o *oldest) read(c *bolt.Cursor, from []byte, inOrder bool) (next []byte) {
	n := 0
	for key, value := c.Seek(from); key != nil; key, value = c.Next() {
		if n++; n > keyPage {
			return bytes.Clone(key)
		}
		if inOrder {
			o.add(value)
		} else {
			o.add(key)
		}
	}
	return nil
}

// add takes a due key into account. It skips a damaged key, and the empty one that a
// dead letter has.
func (o *oldest) add(dueKey []byte) {
	at := len(dueKey) - timeSize - idSize
	if at < 0 {
		return
	}
	if o.prefix == nil || !bytes.Equal(dueKey[:at], o.prefix) {
		source, rest, ok := cutName(dueKey[:at])
		route, rest, ok2 := cutName(rest)
		if !ok || !ok2 || len(rest) > 0 {
			return
		}
		o.prefix, o.route = bytes.Clone(dueKey[:at]), queue.RouteKey{Source: source, Route: route}
	}
	id := idOf(dueKey)
	if first, ok := o.ids[o.route]; !ok || bytes.Compare(id[:], first[:]) < 0 {
		o.ids[o.route] = id
	}
}
