package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/durable"
)

const (
	fileName    = "events.db"
	format      = 2 // of the file; raised by a change that other code cannot read
	application = "caddy-webhook-gateway queue"

	filePageSize = 16 << 10

	// draftSuffix marks a file that is to replace the queue file.
	draftSuffix = ".draft"
)

var (
	keyApplication = []byte("application")
	keyFormat      = []byte("format")
	keyOpened      = []byte("opened")
	keySalt        = []byte("journal") // of the journal's frames
	keyApplied     = []byte("applied") // the last frame that is in this file
)

// lockPatience is how long to wait for another process, which may be about to exit, to
// release the file.
var lockPatience = 3 * time.Second

var (
	// errIO marks failures of the disk, which may pass.
	errIO = errors.New("the disk does not take it")
	// errBroken marks damage to the file's structure.
	errBroken = errors.New("queue file is damaged")
	// errUnchanged makes update roll back without an error.
	errUnchanged = errors.New("nothing was written")
	// errForeign marks a file that does not look like a queue.
	errForeign = errors.New("no queue of the webhook gateway")
)

// openFile opens the queue file in a directory, creating both if they are not
// there, and proves with a synced write that it can be written to.
func openFile(dir string) (db *bolt.DB, err error) {
	path := filepath.Join(dir, fileName)
	if err := makeDir(dir); err != nil {
		return nil, fmt.Errorf("creating queue directory: %w", err)
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := createFile(path); err != nil {
			return nil, fmt.Errorf("creating queue file: %w", err)
		}
	}
	if err := inspect(path); err != nil {
		if errors.Is(err, errForeign) && hasEvents(path) {
			err = fmt.Errorf("%w: %w", errBroken, err)
		}
		return nil, fmt.Errorf("opening queue file: %w", err)
	}
	if db, err = openBolt(path, false); err != nil {
		return nil, fmt.Errorf("opening queue file: %w", err)
	}
	switch err := update(db, stamp); {
	case err == nil:
		return db, nil
	case errors.Is(err, errBroken):
		return nil, errors.Join(err, db.Close())
	default:
		return nil, errors.Join(fmt.Errorf("writing to queue file: %w: %w", errIO, err), db.Close())
	}
}

// passing tells whether an error of openFile may go away by itself.
func passing(err error) bool {
	for _, target := range []error{
		errIO, syscall.EROFS, syscall.ENOSPC, syscall.EACCES, syscall.EPERM,
		syscall.EIO, syscall.EDQUOT, syscall.EFBIG,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// makeDir creates a directory such that a power cut does not undo it.
func makeDir(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if parent := filepath.Dir(dir); parent != dir {
		if err := makeDir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR}
	}
	return durable.SyncDir(filepath.Dir(dir))
}

// createFile puts an empty queue file in place in one step: a full disk or a crash
// leaves no half-made file.
func createFile(path string) error {
	draft := fmt.Sprintf("%s.%d.new", path, os.Getpid())
	if err := ignoreMissing(os.Remove(draft)); err != nil {
		return err
	}
	defer os.Remove(draft)
	db, err := openBolt(draft, false)
	if err != nil {
		return err
	}
	if err := errors.Join(update(db, furnish), db.Close()); err != nil {
		return fmt.Errorf("%w: %w", errIO, err)
	}
	// Unlike a rename, a link cannot replace the file of a process that was faster.
	// Not every file system has links.
	if err := os.Link(draft, path); err != nil && !errors.Is(err, fs.ErrExist) {
		if err := os.Rename(draft, path); err != nil {
			return err
		}
	}
	return durable.SyncDir(filepath.Dir(path))
}

// keep gives a file a second name, which it keeps when it is replaced.
func keep(path, name string) error {
	if err := os.Link(path, name); err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Rename(path, name) // not every file system has links
}

// discardDraft removes what an interrupted attempt to replace a file has left.
func discardDraft(path string) error { return ignoreMissing(os.Remove(path + draftSuffix)) }

func ignoreMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

func furnish(tx *bolt.Tx) error {
	if err := addBuckets(tx); err != nil {
		return err
	}
	meta := tx.Bucket(bucketMeta)
	if err := meta.Put(keyApplication, []byte(application)); err != nil {
		return err
	}
	return meta.Put(keyFormat, []byte(strconv.Itoa(format)))
}

// addBuckets makes the buckets that the file lacks: an earlier version may have written
// it.
func addBuckets(tx *bolt.Tx) error {
	for _, name := range buckets {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	return nil
}

func stamp(tx *bolt.Tx) error {
	if err := addBuckets(tx); err != nil {
		return err
	}
	return tx.Bucket(bucketMeta).Put(keyOpened, []byte(time.Now().UTC().Format(time.RFC3339Nano)))
}

// inspect finds out whether the file is a queue that this code can read. It walks all
// pages first. bbolt would do so, too, when it opens a file for writing, but in a
// goroutine, where a panic at a damaged page could not be recovered.
func inspect(path string) (err error) {
	if info, err := os.Stat(path); err == nil && info.Size() == 0 {
		return fmt.Errorf("%s is %w: it is empty", path, errForeign)
	}
	db, err := openBolt(path, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	readAhead(path)
	return view(db, func(tx *bolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		if meta == nil || !bytes.Equal(meta.Get(keyApplication), []byte(application)) {
			return fmt.Errorf("%s is %w", path, errForeign)
		}
		if v, err := strconv.Atoi(string(meta.Get(keyFormat))); err != nil || v < 1 {
			return fmt.Errorf("%s is %w: its format is %q", path, errForeign, meta.Get(keyFormat))
		} else if v != format {
			return otherFormat(path, v)
		}
		return walk(tx)
	})
}

func otherFormat(path string, v int) error {
	return fmt.Errorf("%s has format %d, and this version of the gateway knows format %d only: "+
		"use the version that wrote it until the queue is empty, or move the directory away", path, v, format)
}

// walk visits all pages that belong to a bucket.
func walk(tx *bolt.Tx) error {
	return tx.ForEach(func(_ []byte, b *bolt.Bucket) error {
		return b.ForEach(func(_, _ []byte) error { return nil })
	})
}

// readAhead brings a file into the cache of the operating system. Walking its pages, in
// no order, takes ten times as long without.
func readAhead(path string) {
	file, err := os.Open(path)
	if err != nil {
		return
	}
	defer file.Close()
	_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{file}, make([]byte, 1<<20))
}

// hasEvents tells whether a file has any event, however damaged the file is.
func hasEvents(path string) (found bool) {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	if t, err := openTree(file); err == nil {
		t.strays(func(_ uint64, key, value []byte) bool {
			found = headOf(key, value) != nil
			return !found
		})
	}
	return found
}

// openBolt opens a bbolt file. bbolt panics at some kinds of damage. A process that
// replaces a file keeps it locked meanwhile, so a file that was replaced while this
// process waited for the lock is left alone.
func openBolt(path string, readOnly bool) (db *bolt.DB, err error) {
	var file *os.File
	options := &bolt.Options{
		Timeout:        lockPatience,
		PageSize:       filePageSize,
		FreelistType:   bolt.FreelistMapType,
		NoFreelistSync: true,
		ReadOnly:       readOnly,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			var err error
			file, err = os.OpenFile(name, flag, mode)
			return file, err
		},
	}
	// Growing the map waits for all readers, so it starts large where that
	// takes address space only.
	if strconv.IntSize == 64 && runtime.GOOS != "windows" && !readOnly {
		options.InitialMmapSize = 1 << 30
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			file.Close() // closing the file releases the lock
			db, err = nil, fmt.Errorf("%w: %s: %v", errBroken, path, p)
		}
	}()
	db, err = bolt.Open(path, 0o600, options)
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("queue directory %s is in use by another process", filepath.Dir(path))
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrVersionMismatch), errors.Is(err, berrors.ErrChecksum):
		return nil, fmt.Errorf("%s is damaged, or %w: %w", path, errForeign, err)
	}
	if err == nil && !isFile(file, path) {
		return nil, errors.Join(fmt.Errorf("%w: %s was replaced a moment ago", errIO, path), db.Close())
	}
	return db, err
}

// isFile reports whether an open file is the one at a path.
func isFile(file *os.File, path string) bool {
	open, err := file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(open, there)
}

// view runs a read transaction. Damage to the file, which bbolt answers with a
// panic or a fault, becomes an error.
func view(db *bolt.DB, read func(*bolt.Tx) error) (err error) {
	defer orBroken(db, &err)()
	return db.View(read)
}

// update runs a write transaction, with damage as in view. Unlike db.Update it
// does not walk the whole file when it rolls back.
func update(db *bolt.DB, write func(*bolt.Tx) error) (err error) {
	defer orBroken(db, &err)()
	tx, err := db.Begin(true)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if err := write(tx); errors.Is(err, errUnchanged) {
		return nil
	} else if err != nil {
		return err
	}
	return tx.Commit()
}

// orBroken returns what turns a panic into an error.
func orBroken(db *bolt.DB, err *error) func() {
	before := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(before)
		if p := recover(); p != nil {
			*err = fmt.Errorf("%w: %s: %v", errBroken, db.Path(), p)
		}
	}
}
