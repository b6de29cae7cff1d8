package disk

import (
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue/queuetest"
)

// appendOrdered appends events whose deliveries have one key.
func appendOrdered(t *testing.T, s *Store, n int) (events []*queue.Event) {
	t.Helper()
	for range n {
		e := queuetest.NewEvent(t, "github", start, "app")
		e.Deliveries[0].Key = "a"
		if err := queuetest.Append(t.Context(), s, e); err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

// claimOne claims twice, because the first claim may meet a damaged event.
func claimOne(t *testing.T, s *Store) (claimed queue.ID) {
	t.Helper()
	for range 2 {
		events, _, err := s.Claim(t.Context(), queue.RouteKey{Source: "github", Route: "app"}, start, time.Minute, 9)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if claimed != (queue.ID{}) {
				t.Errorf("%s and %s of one FIFO were claimed", claimed, e.ID)
			}
			claimed = e.ID
		}
	}
	return claimed
}

// isEmpty fails the test unless a bucket is empty.
func isEmpty(t *testing.T, s *Store, bucket []byte) {
	t.Helper()
	err := s.view(func(tx *bolt.Tx) error {
		if key, value := tx.Bucket(bucket).Cursor().First(); key != nil {
			t.Errorf("left in %s: %q, %q", bucket, key, value)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestDamagedEventLeavesItsLine(t *testing.T) {
	for _, bucket := range [][]byte{bucketHeads, bucketRequests} {
		for name, notice := range map[string]func(*Store, queue.ID){
			"claim": func(*Store, queue.ID) {},
			"get":   func(s *Store, id queue.ID) { _, _ = s.Get(t.Context(), id) },
			"update": func(s *Store, id queue.ID) {
				_ = s.Update(t.Context(), id, func(*queue.Event) error { return nil })
				_, _ = s.Get(t.Context(), id)
			},
		} {
			for bad := range 2 {
				if bad == 1 && name == "claim" {
					continue // it is not its turn
				}
				s := openStore(t, t.TempDir())
				events := appendOrdered(t, s, 3)
				damage(t, s, bucket, events[bad].ID[:])
				notice(s, events[bad].ID)
				for i, e := range events {
					if i == bad {
						continue
					}
					if id := claimOne(t, s); id != e.ID {
						t.Errorf("%s, %s: claimed %s after event %d of the FIFO was damaged, want event %d", name, bucket, id, bad, i)
					}
					if err := s.Remove(t.Context(), e.ID); err != nil {
						t.Fatal(err)
					}
				}
				for _, b := range [][]byte{bucketOrdered, bucketPositions, bucketDue} {
					isEmpty(t, s, b)
				}
			}
		}
	}
}

// A copy of the file may lack the sequence that bbolt keeps for a bucket.
func TestNumbersGoOn(t *testing.T) {
	s := openStore(t, t.TempDir())
	first := appendOrdered(t, s, 3)
	err := s.do(t.Context(), func(t *txn) error {
		t.writes++
		return t.tx.Bucket(bucketOrdered).SetSequence(0)
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range append(first, appendOrdered(t, s, 3)...) {
		if id := claimOne(t, s); id != e.ID {
			t.Errorf("claimed %s, want event %d", id, i)
		}
		if err := s.Remove(t.Context(), e.ID); err != nil {
			t.Fatal(err)
		}
	}
}
