package disk

import (
	"errors"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// damage flips a bit in a record.
func damage(t *testing.T, s *Store, bucket []byte, key []byte) {
	t.Helper()
	err := s.do(t.Context(), func(t *txn) error {
		record := append([]byte{}, t.tx.Bucket(bucket).Get(key)...)
		record[len(record)-1] ^= 1
		return t.put(bucket, key, record)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestDamagedEventIsSetAside(t *testing.T) {
	route := queue.RouteKey{Source: "github", Route: "app"}
	claim := func(s *Store) error {
		_, _, err := s.Claim(t.Context(), route, start, time.Minute, 1)
		return err
	}
	ways := map[string]func(*Store, queue.ID) error{
		"claim": func(s *Store, _ queue.ID) error { return claim(s) },
		"get": func(s *Store, id queue.ID) error {
			if _, err := s.Get(t.Context(), id); !errors.Is(err, errDamaged) {
				return errors.Join(errors.New("got a damaged event"), err)
			}
			return nil
		},
	}
	for _, bucket := range [][]byte{bucketHeads, bucketRequests} {
		for name, notice := range ways {
			t.Run(name+" "+string(bucket), func(t *testing.T) {
				dir := t.TempDir()
				s := openStore(t, dir)
				bad, good := appendNew(t, s), appendNew(t, s)
				damage(t, s, bucket, bad.ID[:])
				if err := notice(s, bad.ID); err != nil {
					t.Fatal(err)
				}
				if _, err := s.Get(t.Context(), bad.ID); !errors.Is(err, queue.ErrNotFound) {
					t.Errorf("the damaged event is still there: %v", err)
				}
				// The first claim may meet the entry of the damaged event.
				var claimed []*queue.Event
				for range 2 {
					more, _, err := s.Claim(t.Context(), route, start, time.Minute, 1)
					if err != nil {
						t.Fatal(err)
					}
					claimed = append(claimed, more...)
				}
				if len(claimed) != 1 || claimed[0].ID != good.ID {
					t.Errorf("claimed %v, want %s alone", claimed, good.ID)
				}
				if n := s.Usage().Total; n.Count != 1 || n.Bytes != good.Size {
					t.Errorf("usage is %+v", n)
				}
				err := s.view(func(tx *bolt.Tx) error {
					if tx.Bucket(bucketDamaged).Get(append(append([]byte{}, bucket...), "/"+string(bad.ID[:])...)) == nil {
						t.Error("the damaged record was not kept")
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

func TestDamagedEventIsListedPast(t *testing.T) {
	s := openStore(t, t.TempDir())
	first, bad, last := appendNew(t, s), appendNew(t, s), appendNew(t, s)
	damage(t, s, bucketHeads, bad.ID[:])
	var got []queue.ID
	err := s.List(t.Context(), queue.ID{}, func(e *queue.Event) bool {
		got = append(got, e.ID)
		return true
	})
	if err != nil || len(got) != 2 || got[0] != last.ID || got[1] != first.ID {
		t.Errorf("listed %v: %v", got, err)
	}
	if n := s.Usage().Total.Count; n != 2 {
		t.Errorf("the store counts %d events", n)
	}
}

func TestDamagedEventExpires(t *testing.T) {
	for _, bucket := range [][]byte{bucketHeads, bucketRequests} {
		s := openStore(t, t.TempDir())
		bad, good := appendNew(t, s), appendNew(t, s)
		for _, e := range []*queue.Event{bad, good} {
			err := s.Update(t.Context(), e.ID, func(e *queue.Event) error {
				e.Deliveries[0].State = queue.Delivered
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		damage(t, s, bucket, bad.ID[:])
		if err := s.Expire(t.Context(), start.Add(time.Hour), queue.Retention{Done: time.Minute}); err != nil {
			t.Fatal(err)
		}
		if u := s.Usage(); u.Total.Count != 0 {
			t.Errorf("%s: usage is %+v", bucket, u)
		}
	}
}

func TestDamagedCountersAreCountedAgain(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	appendNew(t, s)
	damage(t, s, bucketCounters, counterKey{kind: countAll}.append(nil))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir)
	e := appendNew(t, s)
	if u := s.Usage(); u.Total.Count != 2 || u.Total.Bytes != 2*e.Size || u.Deliveries[queue.RouteKey{Source: "github", Route: "app"}][queue.Pending] != 2 {
		t.Errorf("usage is %+v", u)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := openStore(t, dir).Usage().Total.Count; n != 2 {
		t.Errorf("the store counts %d events", n)
	}
}

func TestDamagedDedupEntryIsPassedOver(t *testing.T) {
	s := openStore(t, t.TempDir())
	bad, good := appendNew(t, s), appendNew(t, s)
	damage(t, s, bucketDedup, appendDedupKey(nil, bad.Dedup.Until, bad.ID))
	var got []queue.ID
	err := s.Remembered(t.Context(), start, func(_ string, id queue.ID, _ queue.Dedup) bool {
		got = append(got, id)
		return true
	})
	if err != nil || len(got) != 1 || got[0] != good.ID {
		t.Errorf("remembered %v: %v", got, err)
	}
}
