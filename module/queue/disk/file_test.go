package disk

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.uber.org/zap"
)

// refuses fails the test unless opening a directory fails for a reason.
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
	for _, other := range []string{"1", "3"} {
		t.Run("format "+other, func(t *testing.T) {
			dir, events := crashed(t, 3) // in the journal only
			edit(t, dir, func(tx *bolt.Tx) error {
				return tx.Bucket(bucketMeta).Put(keyFormat, []byte(other))
			})
			before := contents(t, dir)
			refuses(t, dir, "has format "+other)
			if !maps.Equal(contents(t, dir), before) {
				t.Error("files of another format were changed")
			}
			edit(t, dir, func(tx *bolt.Tx) error {
				return tx.Bucket(bucketMeta).Put(keyFormat, []byte(strconv.Itoa(format)))
			})
			if n := openStore(t, dir).Usage().Total.Count; n != int64(1+len(events)) {
				t.Errorf("%d events are left", n)
			}
		})
	}
}

// contents returns what the files in a directory hold.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := make(map[string]string)
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range list {
		content, err := os.ReadFile(filepath.Join(dir, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		found[file.Name()] = string(content)
	}
	return found
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

// TestReplacedFile waits for the lock of a file that is replaced meanwhile: the new file
// must be opened.
func TestReplacedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), fileName)
	for _, name := range []string{path, path + draftSuffix} {
		if err := createFile(name); err != nil {
			t.Fatal(err)
		}
	}
	owner, err := openBolt(path, false)
	if err != nil {
		t.Fatal(err)
	}
	late := make(chan error)
	go func() {
		db, err := openBolt(path, false)
		if err == nil {
			err = errors.Join(update(db, stamp), db.Close())
		}
		late <- err
	}()
	time.Sleep(100 * time.Millisecond) // most probably it waits for the lock then
	if err := errors.Join(os.Rename(path+draftSuffix, path), owner.Close()); err != nil {
		t.Fatal(err)
	}
	if err := <-late; errors.Is(err, errIO) {
		return
	} else if err != nil {
		t.Fatal(err)
	}
	db, err := openBolt(path, true)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = view(db, func(tx *bolt.Tx) error {
		if tx.Bucket(bucketMeta).Get(keyOpened) == nil {
			t.Error("what was written went to a file that is not there any more")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestDraftsAreRemoved(t *testing.T) {
	dir := t.TempDir()
	draft := filepath.Join(dir, fileName+draftSuffix)
	if err := os.WriteFile(draft, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	openStore(t, dir)
	if _, err := os.Stat(draft); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what an interrupted attempt left is still there: %v", err)
	}
}
