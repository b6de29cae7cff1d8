package disk

import (
	"context"
	"errors"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// UpdateAll implements queue.Store. It may call change more than once for an
// event, each time with the event as it was.
func (s *Store) UpdateAll(ctx context.Context, ids []queue.ID, change func(*queue.Event) error) error {
	var damaged []queue.ID
	err := s.do(ctx, func(t *txn) error {
		damaged = damaged[:0]
		for _, id := range ids {
			before := t.writes
			err := t.update(id, change)
			if err != nil && t.writes != before {
				return err
			}
			if errors.Is(err, errDamaged) {
				damaged = append(damaged, id)
			}
		}
		return nil
	})
	for _, id := range damaged {
		s.setAside(errDamaged, id, nil)
	}
	return err
}
