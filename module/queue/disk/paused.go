package disk

import (
	"context"

	bolt "go.etcd.io/bbolt"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// SetPaused implements queue.Store.
func (s *Store) SetPaused(ctx context.Context, route queue.RouteKey, paused bool) error {
	key := appendRoute(nil, route)
	value := seal(key, openRecord(nil))
	return s.do(ctx, func(t *txn) error {
		if paused {
			return t.put(bucketPaused, key, value)
		}
		return t.delete(bucketPaused, key)
	})
}

// Paused implements queue.Store. It skips damaged records.
func (s *Store) Paused() (routes []queue.RouteKey, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		routes = nil
		return tx.Bucket(bucketPaused).ForEach(func(key, record []byte) error {
			if _, err := unseal(key, record); err != nil {
				return nil
			}
			if source, rest, ok := cutName(key); ok {
				if route, _, ok := cutName(rest); ok {
					routes = append(routes, queue.RouteKey{Source: source, Route: route})
				}
			}
			return nil
		})
	})
	return routes, err
}
