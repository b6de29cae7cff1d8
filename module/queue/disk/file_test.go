package disk

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// refuses says that a directory cannot be opened, and why.
func refuses(t *testing.T, dir, why string) {
	t.Helper()
	s, err := Open(dir, zap.NewNop())
	if err == nil {
		_ = s.Close()
		t.Fatalf("%s was opened", dir)
	}
	if !strings.Contains(err.Error(), why) {
		t.Fatalf("error is %q, want something about %q", err, why)
	}
}

func TestOpenMakesPrivateFiles(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // has no such modes
	}
	dir := filepath.Join(t.TempDir(), "a", "b")
	appendNew(t, openStore(t, dir))
	for path, want := range map[string]os.FileMode{
		dir: 0o700, filepath.Join(dir, fileName): 0o600, filepath.Join(dir, journalPrefix+"1"): 0o600,
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("directory holds %v: %v", entries, err)
	}
}

func TestOpenLockedFile(t *testing.T) {
	defer func(d time.Duration) { lockPatience = d }(lockPatience)
	lockPatience = 100 * time.Millisecond
	dir := t.TempDir()
	s := openStore(t, dir)
	refuses(t, dir, "queue directory "+dir+" is in use by another process")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	openStore(t, dir)
}

func TestOpenImpossiblePath(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below"), filepath.Join(file, "far", "below")} {
		_, err := Open(dir, zap.NewNop())
		if !errors.Is(err, syscall.ENOTDIR) {
			t.Errorf("opening %s: %v", dir, err)
		}
	}
}

func TestOpenForeignFile(t *testing.T) {
	t.Run("text", func(t *testing.T) {
		dir := t.TempDir()
		text := bytes.Repeat([]byte("no database at all\n"), 10_000)
		if err := os.WriteFile(filepath.Join(dir, fileName), text, 0o600); err != nil {
			t.Fatal(err)
		}
		refuses(t, dir, "no queue of the webhook gateway")
		if now, err := os.ReadFile(filepath.Join(dir, fileName)); err != nil || !bytes.Equal(now, text) {
			t.Error("a file of somebody else was changed")
		}
	})
	t.Run("empty", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, fileName), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		refuses(t, dir, "no queue of the webhook gateway")
	})
	t.Run("other bbolt file", func(t *testing.T) {
		dir := t.TempDir()
		edit(t, dir, func(tx *bolt.Tx) error {
			_, err := tx.CreateBucket([]byte("theirs"))
			return err
		})
		refuses(t, dir, "no queue of the webhook gateway")
	})
	t.Run("newer format", func(t *testing.T) {
		dir := t.TempDir()
		if err := openStore(t, dir).Close(); err != nil {
			t.Fatal(err)
		}
		edit(t, dir, func(tx *bolt.Tx) error {
			return tx.Bucket(bucketMeta).Put(keyFormat, []byte("2"))
		})
		refuses(t, dir, "has format 2")
	})
}

// edit changes the file of a store that is closed.
func edit(t *testing.T, dir string, change func(*bolt.Tx) error) {
	t.Helper()
	db, err := bolt.Open(filepath.Join(dir, fileName), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(change), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestDamagedFile overwrites each page of a file in turn, and cuts the file off
// there. The store comes back with all events but those of the page, which holds
// about half of them, and the damaged file is kept.
func TestDamagedFile(t *testing.T) {
	intact, ids, pageSize := fileWithEvents(t, 100)
	mended := 0
	for at := 0; at < len(intact); at += pageSize {
		for _, junk := range []byte{0, 0xff, 'x'} {
			damaged := bytes.Clone(intact)
			copy(damaged[at:], bytes.Repeat([]byte{junk}, pageSize))
			if opensDamaged(t, damaged, ids, 60) {
				mended++
			}
		}
	}
	if mended < 10 {
		t.Errorf("damage was noticed %d times", mended)
	}
	t.Run("meta pages", func(t *testing.T) {
		damaged := bytes.Clone(intact)
		clear(damaged[:2*pageSize])
		if !opensDamaged(t, damaged, ids, 0) {
			t.Error("no damage was noticed")
		}
	})
	t.Run("cut off", func(t *testing.T) {
		for at := pageSize; at < len(intact); at += pageSize {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, fileName), intact[:at], 0o600); err != nil {
				t.Fatal(err)
			}
			if s, err := Open(dir, zap.NewNop()); err == nil {
				_ = s.List(t.Context(), queue.ID{}, func(*queue.Event) bool { return true })
				_ = s.Close()
			}
		}
	})
}

// fileWithEvents returns the content of a queue file with so many events.
func fileWithEvents(t *testing.T, n int) (content []byte, ids []queue.ID, pageSize int) {
	t.Helper()
	dir := t.TempDir()
	s := openStore(t, dir)
	s.neverSync.Store(true)
	for range n {
		ids = append(ids, appendNew(t, s).ID)
	}
	pageSize = s.db.Load().Info().PageSize
	var used int64
	if err := view(s.db.Load(), func(tx *bolt.Tx) error { used = tx.Size(); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	return content[:used], ids, pageSize
}

// opensDamaged opens a store with a damaged file, which may lack so many of the
// events then. It reports whether the file was mended.
func opensDamaged(t *testing.T, content []byte, ids []queue.ID, mayLack int) (mended bool) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, fileName)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	eventually(t, "the store is available", func() bool { return s.catchUp(t.Context()) == nil })
	lacking := 0
	for _, id := range ids {
		if _, err := s.Get(t.Context(), id); err != nil {
			lacking++
		}
	}
	if lacking > mayLack {
		t.Errorf("%d of %d events are lost", lacking, len(ids))
	}
	if n := s.Usage().Total.Count; n != int64(len(ids)-lacking) {
		t.Errorf("%d events are counted, %d are there", n, len(ids)-lacking)
	}
	appendNew(t, s)
	kept, _ := filepath.Glob(path + ".damaged-*")
	if len(kept) == 1 {
		if content, err := os.ReadFile(kept[0]); err != nil || len(content) == 0 {
			t.Errorf("the damaged file is not kept: %v", err)
		}
	}
	return len(kept) == 1
}

// TestDamageWhileRunning overwrites a page underneath a store that is open. It
// is noticed when the page is needed; then the store is mended and goes on.
func TestDamageWhileRunning(t *testing.T) {
	s := openStore(t, t.TempDir())
	var ids []queue.ID
	for range 200 {
		ids = append(ids, appendNew(t, s).ID)
	}
	var page int64
	err := s.view(func(tx *bolt.Tx) error {
		page = int64(tx.Bucket(bucketRequests).RootPage())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(filepath.Join(s.dir, fileName), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteAt(bytes.Repeat([]byte{'x'}, filePageSize), page*filePageSize); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), ids[0]); !errors.Is(err, queue.ErrUnavailable) {
		t.Errorf("reading a damaged page says %v", err)
	}
	eventually(t, "the store is available", func() bool { return s.catchUp(t.Context()) == nil })
	for _, id := range ids { // all that was lost is how to get there
		if _, err := s.Get(t.Context(), id); err != nil {
			t.Errorf("event %s: %v", id, err)
		}
	}
	appendNew(t, s)
}
