package disk

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue/queuetest"
)

// TestDamagedFile overwrites each page of a file in turn, and cuts the file off
// there. The store comes back with all events but those of the page, which holds
// about half of them, and the damaged file is kept. What is in the journal only
// is never lost.
func TestDamagedFile(t *testing.T) {
	intact := newVictim(t, 100)
	size := int64(len(intact.file))
	mended := 0
	for at := int64(0); at < size; at += filePageSize {
		for _, junk := range []byte{0, 0xff, 'x'} {
			damaged := intact
			damaged.file = bytes.Clone(intact.file)
			copy(damaged.file[at:], bytes.Repeat([]byte{junk}, filePageSize))
			if damaged.opens(t, 60) {
				mended++
			}
		}
	}
	if mended < 10 {
		t.Errorf("damage was noticed %d times", mended)
	}
	t.Run("meta pages", func(t *testing.T) {
		damaged := intact
		damaged.file = bytes.Clone(intact.file)
		clear(damaged.file[:2*filePageSize])
		if !damaged.opens(t, 0) {
			t.Error("no damage was noticed")
		}
	})
	t.Run("cut off", func(t *testing.T) {
		for at := int64(filePageSize); at < size; at += filePageSize {
			damaged := intact
			damaged.file = intact.file[:at]
			if s, err := Open(damaged.dir(t), zap.NewNop()); err == nil {
				_ = s.List(t.Context(), queue.ID{}, func(*queue.Event) bool { return true })
				_ = s.Close()
			}
		}
	})
}

// victim is the content of a store that is to be damaged.
type victim struct {
	file, journal []byte
	ids, fresh    []queue.ID // fresh: in the journal only
}

// newVictim makes a store with so many events in its queue file, and five in
// the journal only.
func newVictim(t *testing.T, n int) (v victim) {
	t.Helper()
	dir, s := t.TempDir(), openStore(t, t.TempDir())
	for range n {
		v.ids = append(v.ids, appendNew(t, s).ID)
	}
	var used int64
	err := s.view(func(tx *bolt.Tx) error { used = tx.Size(); return nil })
	if err != nil {
		t.Fatal(err)
	}
	release := block(t, s)
	defer release()
	for range 5 {
		e := queuetest.NewEvent(t, "github", start, "app")
		if err := appendOne(t.Context(), s, e, func() {}); err != nil {
			t.Fatal(err)
		}
		v.fresh = append(v.fresh, e.ID)
	}
	if err := os.CopyFS(dir, os.DirFS(s.dir)); err != nil {
		t.Fatal(err)
	}
	if v.file, err = os.ReadFile(filepath.Join(dir, fileName)); err != nil {
		t.Fatal(err)
	}
	_, data, frames := journalOf(t, dir)
	last := frames[len(frames)-1]
	v.file, v.journal = v.file[:used], data[:last.offset+frameHeader+int64(len(last.records))]
	return v
}

// dir returns a directory with the store.
func (v victim) dir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string][]byte{fileName: v.file, journalPrefix + "1": v.journal} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// opens opens the store, whose queue file may lack so many of its events, and uses the
// store. It reports whether the file was mended.
func (v victim) opens(t *testing.T, mayLack int) (mended bool) {
	t.Helper()
	dir := v.dir(t)
	s, err := Open(dir, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	queuetest.Eventually(t, "the store is available", func() bool { return s.catchUp(t.Context()) == nil })
	lacking := 0
	for _, id := range v.ids {
		if deliver(t, s, id) != nil {
			lacking++
		}
	}
	if lacking > mayLack {
		t.Errorf("%d of %d events are lost", lacking, len(v.ids))
	}
	for _, id := range v.fresh {
		if err := deliver(t, s, id); err != nil {
			t.Errorf("an event that the journal has: %v", err)
		}
	}
	if n := s.Usage().Total.Count; n != int64(len(v.ids)+len(v.fresh)-lacking) {
		t.Errorf("%d events are counted, %d of %d are lost", n, lacking, len(v.ids))
	}
	kept := appendNew(t, s)
	if err := s.Expire(t.Context(), start.Add(time.Hour), queue.Retention{}); err != nil {
		t.Error(err)
	}
	if n := s.Usage().Total.Count; n != 1 {
		t.Errorf("%d events are left of those that had ended", n-1)
	}
	if _, err := s.Get(t.Context(), kept.ID); err != nil {
		t.Error(err)
	}
	return keptDamaged(t, dir)
}

// deliver notes that an event was delivered.
func deliver(t *testing.T, s *Store, id queue.ID) error {
	return s.Update(t.Context(), id, func(e *queue.Event) error {
		e.Deliveries[0].State = queue.Delivered
		return nil
	})
}

// keptDamaged reports whether a damaged queue file was kept.
func keptDamaged(t *testing.T, dir string) bool {
	t.Helper()
	kept, _ := filepath.Glob(filepath.Join(dir, fileName+".damaged-*"))
	for _, path := range kept {
		if content, err := os.ReadFile(path); err != nil || len(content) == 0 {
			t.Errorf("the damaged file is not kept: %v", err)
		}
	}
	return len(kept) > 0
}

// TestDamageWhileRunning overwrites a page of a store that is open. The damage is noticed
// when the page is needed, if only for a write. Then the store mends the file, and goes
// on.
func TestDamageWhileRunning(t *testing.T) {
	for _, test := range []struct {
		bucket []byte
		meet   func(*testing.T, *Store, queue.ID) error
	}{
		{bucketRequests, func(t *testing.T, s *Store, id queue.ID) error {
			_, err := s.Get(t.Context(), id)
			return err
		}},
		{bucketEnded, deliver},
	} {
		t.Run(string(test.bucket), func(t *testing.T) {
			s := openStore(t, t.TempDir())
			ids := make([]queue.ID, 300)
			for i := range ids {
				ids[i] = appendNew(t, s).ID
			}
			for _, id := range ids[:150] {
				if err := deliver(t, s, id); err != nil {
					t.Fatal(err)
				}
			}
			overwriteRoot(t, s, test.bucket)
			if err := test.meet(t, s, ids[200]); err == nil {
				t.Error("a damaged page did no harm")
			}
			queuetest.Eventually(t, "the store is available", func() bool { return deliver(t, s, ids[200]) == nil })
			for _, id := range ids { // all that was lost is how to get there
				if err := deliver(t, s, id); err != nil {
					t.Errorf("event %s: %v", id, err)
				}
			}
			if !keptDamaged(t, s.dir) {
				t.Error("the file was not mended")
			}
			appendNew(t, s)
		})
	}
}

// overwriteRoot overwrites the root page of a bucket.
func overwriteRoot(t *testing.T, s *Store, bucket []byte) {
	t.Helper()
	var page int64
	err := s.view(func(tx *bolt.Tx) error { page = int64(tx.Bucket(bucket).RootPage()); return nil })
	if err != nil || page == 0 {
		t.Fatalf("bucket %s has no page of its own: %v", bucket, err)
	}
	file, err := os.OpenFile(filepath.Join(s.dir, fileName), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = file.WriteAt(bytes.Repeat([]byte{'x'}, filePageSize), page*filePageSize)
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestJournalIsAdopted loses the salt of the journal, beside a journal file of another
// queue, whose events look like frames.
func TestJournalIsAdopted(t *testing.T) {
	v := newVictim(t, 100)
	clear(v.file[:2*filePageSize])
	own := scanFrames(v.journal)
	decoy := finishFrame(append(make([]byte, frameHeader), v.journal...), own[0].salt+1, 1<<40)
	dir := v.dir(t)
	for _, name := range []string{journalPrefix + "7", journalPrefix + "8.damaged-1"} {
		if err := os.WriteFile(filepath.Join(dir, name), decoy, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := openStore(t, dir)
	queuetest.Eventually(t, "the store is available", func() bool { return s.catchUp(t.Context()) == nil })
	for _, id := range append(v.ids, v.fresh...) {
		if _, err := s.Get(t.Context(), id); err != nil {
			t.Errorf("event %s: %v", id, err)
		}
	}
}
