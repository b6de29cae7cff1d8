package disk

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/durable"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// errNoRoom says that the journal cannot have another file now.
var errNoRoom = errors.New("no room for the journal")

const (
	journalPrefix = "journal-"
	// A journal file has all its blocks from the start, and is written over
	// when nothing in it is needed any more: syncing it then costs one write to
	// the disk, and no change of the file system.
	journalSize = 8 << 20
	// With every so many files they are made twice as large, up to this.
	journalGrowth, maxJournalSize = 8, 64 << 20
	// spareFiles are kept for the next burst.
	spareFiles = 4
)

// journal has the requests of all events, and makes events durable before the
// queue file has them. One sync of a journal file is much cheaper than one
// transaction, so an event is acknowledged when it is in the journal, and gets
// into the queue file, together with many others, a moment later. What a crash
// keeps from getting there is found in the journal at the next start.
type journal struct {
	dir     string
	salt    uint64        // tells the frames of this queue from those of another
	applied atomic.Uint64 // the queue file has all frames up to this one
	sums    *ledger       // counts what lies in each file
	open    sync.Map      // number -> *os.File of all files

	mu     sync.Mutex
	files  []*journalFile // the last one is written to
	seq    uint64         // of the last frame
	made   int            // files so far, for their names
	making sync.WaitGroup // a file that is made ahead
	ahead  bool           // one is
	closed bool
}

// journalFile is one file of the journal.
type journalFile struct {
	*os.File
	number      int
	size, end   int64
	first, last uint64 // sequence numbers of frames; first is 0 where there is none
	stuck       bool   // it cannot be emptied
}

// journalFiles returns the paths of a journal's files. Those that were set aside
// are none.
func journalFiles(dir string) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, journalPrefix+"*"))
	return slices.DeleteFunc(paths, func(path string) bool { return journalNumber(path) < 0 }), err
}

// journalNumber returns the number in the name of a journal's file, or -1.
func journalNumber(path string) int {
	n, err := strconv.ParseUint(strings.TrimPrefix(filepath.Base(path), journalPrefix), 10, 31)
	if err != nil {
		return -1
	}
	return int(n)
}

// add takes a file, as one that is not written to.
func (j *journal) add(f *journalFile) {
	j.files = append([]*journalFile{f}, j.files...)
	j.open.Store(f.number, f.File)
}

// write makes a frame durable, and returns its sequence number and its place. buf
// has its records behind room for the header; it may be used again afterwards.
func (j *journal) write(buf []byte, durably bool) (seq uint64, at location, err error) {
	buf = finishFrame(buf, j.salt, j.seq+1)
	file, err := j.room(int64(len(buf)))
	if err != nil {
		return 0, at, fmt.Errorf("%w: %w", errNoRoom, err)
	}
	at = location{file: file.number, offset: uint32(file.end)}
	if _, err := file.WriteAt(buf, file.end); err != nil {
		return 0, at, fmt.Errorf("writing to the journal: %w", err)
	}
	if durably {
		if err := syncData(file.File); err != nil {
			return 0, at, fmt.Errorf("syncing the journal: %w", err)
		}
	}
	j.seq++
	file.end += int64(len(buf))
	file.last = j.seq
	j.prepare(file)
	return j.seq, at, nil
}

// load loads the request of an event. A request that is not at its place is
// damaged, or the event has gone since the place was found.
func (j *journal) load(id queue.ID, at location) (*queue.Request, error) {
	record, err := j.record(at)
	if err != nil {
		return nil, err
	}
	request := new(queue.Request)
	return request, unseal(id[:], record, request)
}

// record returns what lies at a place, whatever it is.
func (j *journal) record(at location) ([]byte, error) {
	file, ok := j.open.Load(at.file)
	if !ok {
		return nil, fmt.Errorf("%w: there is no file %s%d", errDamaged, journalPrefix, at.file)
	}
	if at.size > maxFrame {
		return nil, fmt.Errorf("%w: a request of %d bytes", errDamaged, at.size)
	}
	record := make([]byte, at.size)
	if _, err := file.(*os.File).ReadAt(record, int64(at.offset)); err != nil {
		return nil, fmt.Errorf("%w: reading the journal: %v", errDamaged, err)
	}
	return record, nil
}

// free reports whether nothing in a file is needed any more.
func (j *journal) free(f *journalFile) bool {
	return f.last <= j.applied.Load() && j.sums.get(fileTally(f.number)).Count == 0
}

// room returns the file to write n bytes to: the current one, one that is free,
// or a new one.
func (j *journal) room(n int64) (*journalFile, error) {
	if len(j.files) > 0 {
		if current := j.files[len(j.files)-1]; current.end+n <= current.size {
			return current, nil
		}
	}
	i := slices.IndexFunc(j.files, func(f *journalFile) bool { return n <= f.size && j.free(f) })
	if i < 0 {
		f, err := j.create(j.number(), max(n, j.nextSize()))
		if err != nil { // a smaller one may do
			f, err = j.create(j.number(), max(n, journalSize))
		}
		if err != nil {
			return nil, err
		}
		j.add(f)
		i = 0
	}
	f := j.files[i]
	j.files = append(slices.Delete(j.files, i, i+1), f)
	f.end, f.first, f.stuck = 0, j.seq+1, false
	return f, j.trim()
}

// number returns one for a new file.
func (j *journal) number() int {
	j.made++
	return j.made
}

// nextSize returns how large a new file is.
func (j *journal) nextSize() int64 {
	return min(int64(journalSize)<<min(len(j.files)/journalGrowth, 8), maxJournalSize)
}

// prepare makes the next file while there is still room in the current one.
func (j *journal) prepare(current *journalFile) {
	if j.ahead || j.closed || current.end < current.size/2 || slices.ContainsFunc(j.files, func(f *journalFile) bool { return f != current && j.free(f) }) {
		return
	}
	j.ahead = true
	number, size := j.number(), j.nextSize()
	j.making.Go(func() {
		f, err := j.create(number, size)
		j.mu.Lock()
		defer j.mu.Unlock()
		if j.ahead = false; err == nil { // else room will say so, if it needs one
			j.add(f)
		}
	})
}

// trim removes files that are free: those made for a large event, and more than
// a few others.
func (j *journal) trim() (err error) {
	spare := 0
	current := j.files[len(j.files)-1]
	j.files = slices.DeleteFunc(j.files, func(f *journalFile) bool {
		if f == current || !j.free(f) {
			return false
		}
		if spare++; f.size <= j.nextSize() && spare <= spareFiles {
			return false
		}
		j.open.Delete(f.number)
		err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		return true
	})
	return err
}

// create makes a file and all its blocks.
func (j *journal) create(number int, size int64) (*journalFile, error) {
	path := filepath.Join(j.dir, fmt.Sprintf("%s%d", journalPrefix, number))
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err = writeZeros(f, size); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = durable.SyncDir(j.dir)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(path))
	}
	return &journalFile{File: f, number: number, size: size}, nil
}

// keepDamaged copies a damaged file for whoever wants to look at it. What still
// reads in it stays in use.
func (j *journal) keepDamaged(path string) (kept string, err error) {
	kept = fmt.Sprintf("%s.damaged-%d", path, time.Now().Unix())
	content, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	return kept, os.WriteFile(kept, content, 0o600)
}

// disk returns how much space the journal takes.
func (j *journal) disk() (n int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, f := range j.files {
		n += f.size
	}
	return n
}

func (j *journal) close() (err error) {
	j.mu.Lock()
	j.closed = true
	j.mu.Unlock()
	j.making.Wait()
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, f := range j.files {
		if closeErr := f.Close(); !errors.Is(closeErr, fs.ErrClosed) {
			err = errors.Join(err, closeErr)
		}
	}
	j.files = nil
	return err
}

// sortFiles sorts files by what was written to them first.
func sortFiles(files []*journalFile) {
	slices.SortFunc(files, func(a, b *journalFile) int { return cmp.Compare(a.first, b.first) })
}
