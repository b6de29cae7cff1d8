package disk

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/durable"
)

// openJournal opens the journal of a directory, and returns the frames that the
// queue file does not have, in order. damaged names the files in which one of
// them is unreadable.
func openJournal(dir string, salt, applied uint64, sums *ledger) (j *journal, frames []frame, damaged []string, err error) {
	paths, err := journalFiles(dir)
	if err != nil {
		return nil, nil, nil, err
	}
	// The process before may have made a file, and died before its name was durable.
	if err := durable.SyncDir(dir); err != nil {
		return nil, nil, nil, err
	}
	j = &journal{dir: dir, salt: salt, seq: applied, sums: sums}
	j.applied.Store(applied)
	for _, path := range paths {
		if err := j.openFile(path); err != nil {
			return nil, nil, nil, errors.Join(fmt.Errorf("reading journal: %w", err), j.close())
		}
	}
	sortFiles(j.files)
	if applied == 0 {
		applied = j.floor()
		j.seq = applied
	}
	if frames, err = j.unapplied(applied); err != nil {
		return nil, nil, nil, errors.Join(fmt.Errorf("reading journal: %w", err), j.close())
	}
	before := applied
	for i, f := range frames {
		// Where it is not known how far the queue file has got, earlier frames may
		// have been written over. The last frame is the one that a crash may have cut off. It was not
		// acknowledged then.
		if last := i == len(frames)-1; !f.whole && !last || applied > 0 && f.seq != before+1 {
			damaged = append(damaged, f.file.Name())
		}
		before = f.seq
	}
	slices.Sort(damaged)
	damaged = slices.Compact(damaged)
	j.resume(frames, damaged)
	return j, frames, damaged, nil
}

// openFile opens a file of the journal and looks what it begins with.
func (j *journal) openFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	f := &journalFile{File: file, number: journalNumber(path), size: info.Size(), end: info.Size()}
	j.made = max(j.made, f.number)
	j.add(f)
	header := make([]byte, frameHeader)
	if n, _ := file.ReadAt(header, 0); n == len(header) {
		if first, ok := parseFrame(header); ok && first.salt == j.salt {
			f.first = first.seq
		}
	}
	return nil
}

// floor returns the last frame that the queue file must have, where it is not
// known how far it has got: it is never far behind. Without it, events that were
// delivered and removed long ago would be delivered again.
func (j *journal) floor() uint64 {
	size := int64(0)
	for _, f := range slices.Backward(j.files) {
		if size > 2*maxBacklog && f.first > 0 {
			return f.first - 1
		}
		size += f.size
	}
	return 0
}

// unapplied reads the frames behind the one that was applied last, in order. It
// reads no file all of whose frames come before one that begins another file.
func (j *journal) unapplied(applied uint64) (frames []frame, err error) {
	for i, file := range j.files {
		if next := i + 1; file.first > 0 && next < len(j.files) && j.files[next].first <= applied+1 {
			file.last = j.files[next].first - 1
			continue
		}
		content, err := os.ReadFile(file.Name())
		if err != nil {
			return nil, err
		}
		for _, f := range scanFrames(content) {
			if f.salt != j.salt {
				continue
			}
			f.file = file
			file.last = max(file.last, f.seq)
			if f.seq > applied {
				frames = append(frames, f)
			}
		}
		j.seq = max(j.seq, file.last)
	}
	slices.SortFunc(frames, func(a, b frame) int { return cmp.Compare(a.seq, b.seq) })
	return frames, nil
}

// resume has the file with the last frame go on being written, unless it is
// damaged.
func (j *journal) resume(frames []frame, damaged []string) {
	if len(frames) == 0 {
		return
	}
	last := frames[len(frames)-1]
	if slices.Contains(damaged, last.file.Name()) || !last.whole {
		return
	}
	last.file.end = last.offset + int64(frameHeader+len(last.records))
	last.file.end += int64(padding(int(last.file.end)))
	i := slices.Index(j.files, last.file)
	j.files = append(slices.Delete(j.files, i, i+1), last.file)
}
