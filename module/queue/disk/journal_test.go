package disk

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue/queuetest"
)

// crashed returns a directory as a crash leaves it in which a number of events
// are in the journal only, each in a frame of its own.
func crashed(t *testing.T, frames int) (dir string, events []*queue.Event) {
	t.Helper()
	s := openStore(t, t.TempDir())
	appendNew(t, s) // makes the files
	release := block(t, s)
	defer release()
	for range frames {
		e := queuetest.NewEvent(t, "github", start, "app")
		if err := appendOne(t.Context(), s, e, func() {}); err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(s.dir)); err != nil {
		t.Fatal(err)
	}
	return dir, events
}

// journalOf returns the path of the journal's only file, and its frames.
func journalOf(t *testing.T, dir string) (path string, data []byte, frames []frame) {
	t.Helper()
	path = filepath.Join(dir, journalPrefix+"1")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, data, scanFrames(data)
}

func TestCrashedJournal(t *testing.T) {
	const n = 5
	for _, test := range []struct {
		name   string
		damage func(data []byte, frames []frame)
		lost   []int
		kept   bool // the file, for whoever wants to look at it
	}{
		{"whole", func([]byte, []frame) {}, nil, false},
		{"last frame cut off", func(data []byte, frames []frame) {
			last := frames[len(frames)-1]
			clear(data[last.offset+200:])
		}, []int{n - 1}, false},
		{"header of the last frame not written", func(data []byte, frames []frame) {
			last := frames[len(frames)-1]
			clear(data[last.offset : last.offset+blockSize])
		}, []int{n - 1}, false},
		{"flipped bit in a record", func(data []byte, frames []frame) {
			data[frames[3].offset+200] ^= 1
		}, []int{2}, true},
		{"flipped bit in a header", func(data []byte, frames []frame) {
			data[frames[3].offset+13] ^= 1
		}, []int{2}, true},
		{"frames of another queue", func(data []byte, frames []frame) {
			for _, f := range frames[1:] {
				records := append(make([]byte, frameHeader), f.records...)
				copy(data[f.offset:], finishFrame(records, 4711, f.seq))
			}
		}, []int{0, 1, 2, 3, 4}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir, events := crashed(t, n)
			path, data, frames := journalOf(t, dir)
			if len(frames) != n+1 {
				t.Fatalf("the journal has %d frames", len(frames))
			}
			test.damage(data, frames)
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second start finds nothing to do
				s := openStore(t, dir)
				if count := s.Usage().Total.Count; count != int64(1+n-len(test.lost)) {
					t.Errorf("the store counts %d events", count)
				}
				for i, e := range events {
					_, err := s.Get(t.Context(), e.ID)
					if lost := slices.Contains(test.lost, i); lost != (err != nil) {
						t.Errorf("event %d: %v", i, err)
					}
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
			kept, _ := filepath.Glob(path + ".damaged-*")
			if (len(kept) == 1) != test.kept {
				t.Errorf("set aside: %v", kept)
			}
		})
	}
}

// TestJournalIsBounded has the journal run as far ahead as it may, with events
// of all sizes, and looks at what it takes when the queue file has caught up.
func TestJournalIsBounded(t *testing.T) {
	s := openStore(t, t.TempDir())
	release := block(t, s)
	appended := make(chan error)
	const n = 24
	for range n {
		go func() {
			e := queuetest.NewEvent(t, "github", start, "app")
			e.Request.Body = make([]byte, 4<<20)
			appended <- appendOne(t.Context(), s, e, func() {})
		}()
	}
	queuetest.Eventually(t, "the journal waits for the queue file", func() bool { return s.commitBatcher.waiting() > maxBacklog })
	if most := s.commitBatcher.waiting(); most > maxBacklog+maxBytes {
		t.Errorf("the journal is %d bytes ahead", most)
	}
	release()
	for range n {
		if err := <-appended; err != nil {
			t.Error(err)
		}
	}
	if err := s.catchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 * spareFiles * journalSize / (1 << 20) { // until it has gone through its files
		e := queuetest.NewEvent(t, "github", start, "app")
		e.Request.Body = make([]byte, 1<<20)
		if err := queuetest.Append(t.Context(), s, e); err != nil {
			t.Fatal(err)
		}
	}
	if size := s.files.Load().journal.disk(); size > (spareFiles+2)*journalSize {
		t.Errorf("the journal takes %d bytes", size)
	}
	if count := s.Usage().Total.Count; count != n+2*spareFiles*journalSize/(1<<20) {
		t.Errorf("the store counts %d events", count)
	}
}

// TestJournalInAnyDirectory has a directory whose name could be taken for a
// pattern.
func TestJournalInAnyDirectory(t *testing.T) {
	from, events := crashed(t, 3)
	dir := filepath.Join(t.TempDir(), "queue [1]*?")
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	s := openStore(t, dir)
	for _, e := range events {
		if _, err := s.Get(t.Context(), e.ID); err != nil {
			t.Errorf("event %s: %v", e.ID, err)
		}
	}
}
