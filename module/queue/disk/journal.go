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
)

const (
	journalPrefix = "journal-"
	// A journal file has all its blocks from the start, and is written over when the
	// queue file has all its events. Syncing it then costs one write to the disk, and
	// no change of the file system.
	journalSize = 8 << 20
	// spareFiles is how many files are kept for the next burst.
	spareFiles = 4
)

// journal makes events durable before the queue file has them. One sync of a journal
// file is much cheaper than one transaction: an event is acknowledged when the journal
// has it, and gets into the queue file a moment later, together with many others. The
// next start brings those events into the queue file that a crash has kept from it.
type journal struct {
	dir     string
	salt    uint64        // frames of another queue have another salt
	applied atomic.Uint64 // the queue file has all frames up to this one

	mu    sync.Mutex
	files []*journalFile // the last one is written to
	seq   uint64         // of the last frame
	made  int            // number of files that were made, for their names
}

type journalFile struct {
	*os.File
	size, end int64
	last      uint64 // sequence number of its last frame
}

// openJournal opens the journal of a directory, and returns the frames that the queue
// file does not have, in order. damaged are the paths of files that have an unreadable
// frame.
func openJournal(dir string, salt, applied uint64) (j *journal, frames []frame, damaged []string, err error) {
	paths, err := journalFiles(dir)
	if err != nil {
		return nil, nil, nil, err
	}
	// An earlier process may have made a file, and died before its name was durable.
	if err := durable.SyncDir(dir); err != nil {
		return nil, nil, nil, err
	}
	j = &journal{dir: dir, salt: salt, seq: applied}
	j.applied.Store(applied)
	holding := make(map[uint64]string) // the path of the file that a frame is in
	for _, path := range paths {
		found, err := j.read(path)
		if err != nil {
			return nil, nil, nil, errors.Join(fmt.Errorf("reading journal: %w", err), j.close())
		}
		for _, f := range found {
			j.seq = max(j.seq, f.seq)
			if f.seq > applied {
				frames, holding[f.seq] = append(frames, f), path
			}
		}
	}
	slices.SortFunc(frames, func(a, b frame) int { return cmp.Compare(a.seq, b.seq) })
	before := applied
	for i, f := range frames {
		// The last frame may be cut off by a crash, and was not acknowledged then. Where
		// the position of the queue file is unknown, earlier frames may have been written
		// over.
		if last := i == len(frames)-1; !f.whole && !last || applied > 0 && f.seq != before+1 {
			damaged = append(damaged, holding[f.seq])
		}
		before = f.seq
	}
	slices.Sort(damaged)
	return j, frames, slices.Compact(damaged), nil
}

// journalFiles returns the paths of a journal's files, without those that were set
// aside.
func journalFiles(dir string) (paths []string, err error) {
	found, err := os.ReadDir(dir) // not Glob: the directory's name may look like a pattern
	for _, file := range found {
		if path := filepath.Join(dir, file.Name()); journalNumber(path) >= 0 {
			paths = append(paths, path)
		}
	}
	return paths, err
}

// journalNumber returns the number in the name of a journal's file, or -1.
func journalNumber(path string) int {
	number, ok := strings.CutPrefix(filepath.Base(path), journalPrefix)
	n, err := strconv.ParseUint(number, 10, 31)
	if !ok || err != nil {
		return -1
	}
	return int(n)
}

// read opens a file of the journal and finds the frames in it.
func (j *journal) read(path string) ([]frame, error) {
	j.made = max(j.made, journalNumber(path))
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	frames := slices.DeleteFunc(scanFrames(data), func(f frame) bool { return f.salt != j.salt })
	file := &journalFile{File: f, size: int64(len(data)), end: int64(len(data))}
	for _, found := range frames {
		file.last = max(file.last, found.seq)
	}
	j.files = append(j.files, file)
	return frames, nil
}

// write makes a frame durable. buf has room for the header, and the records behind it.
// The caller may use buf again afterwards.
func (j *journal) write(buf []byte, durably bool) (seq uint64, err error) {
	buf = finishFrame(buf, j.salt, j.seq+1)
	file, err := j.room(int64(len(buf)))
	if err != nil {
		return 0, fmt.Errorf("adding a file to the journal: %w", err)
	}
	if _, err := file.WriteAt(buf, file.end); err != nil {
		return 0, fmt.Errorf("writing to the journal: %w", err)
	}
	if durably {
		if err := syncData(file.File); err != nil {
			return 0, fmt.Errorf("syncing the journal: %w", err)
		}
	}
	j.seq++
	file.end += int64(len(buf))
	file.last = j.seq
	return j.seq, nil
}

// room returns the file to write n bytes to: the current one, one whose frames the queue
// file has, or a new one.
func (j *journal) room(n int64) (*journalFile, error) {
	if len(j.files) > 0 {
		if current := j.files[len(j.files)-1]; current.end+n <= current.size {
			return current, nil
		}
	}
	done := j.applied.Load()
	for i, f := range j.files {
		if f.last <= done && n <= f.size {
			j.files = append(slices.Delete(j.files, i, i+1), f)
			f.end = 0
			return f, j.trim(done)
		}
	}
	f, err := j.create(max(n, journalSize))
	if err != nil {
		return nil, err
	}
	j.files = append(j.files, f)
	return f, j.trim(done)
}

// trim removes files whose frames the queue file has: those made for a large event, and
// all but a few of the others.
func (j *journal) trim(done uint64) (err error) {
	spare := 0
	current := j.files[len(j.files)-1]
	j.files = slices.DeleteFunc(j.files, func(f *journalFile) bool {
		if f == current || f.last > done {
			return false
		}
		if spare++; f.size == journalSize && spare <= spareFiles {
			return false
		}
		err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		return true
	})
	return err
}

// create makes a file with all its blocks.
func (j *journal) create(size int64) (*journalFile, error) {
	j.made++
	path := filepath.Join(j.dir, fmt.Sprintf("%s%d", journalPrefix, j.made))
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	zeros := make([]byte, min(size, 1<<20))
	for at := int64(0); at < size && err == nil; at += int64(len(zeros)) {
		_, err = f.WriteAt(zeros[:min(int64(len(zeros)), size-at)], at)
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = durable.SyncDir(j.dir)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(path))
	}
	return &journalFile{File: f, size: size}, nil
}

// setAside renames a damaged file, for an operator to look at. Nothing reads or writes
// it any more.
func (j *journal) setAside(path string) (kept string, err error) {
	kept = fmt.Sprintf("%s.damaged-%d", path, time.Now().Unix())
	j.files = slices.DeleteFunc(j.files, func(f *journalFile) bool {
		if f.Name() != path {
			return false
		}
		err = f.Close()
		return true
	})
	return kept, errors.Join(err, os.Rename(path, kept))
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
	for _, f := range j.files {
		if closeErr := f.Close(); !errors.Is(closeErr, fs.ErrClosed) {
			err = errors.Join(err, closeErr)
		}
	}
	j.files = nil
	return err
}
