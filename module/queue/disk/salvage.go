package disk

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/durable"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// salvage replaces a queue file whose structure is damaged by a new one that has all
// records which can be read. The damaged file is kept.
//
// Records that an intact page leads to count. A lost page may have led to many others:
// where half an event is lost, it is looked for in pages that nothing leads to any more.
// Those pages also hold older records, so an event that was delivered may be found as it
// was before, and come twice.
func (s *Store) salvage() error {
	path := filepath.Join(s.dir, fileName)
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	t, err := openTree(file)
	if err != nil {
		return err
	}
	w := &wreck{tree: t, heads: make(map[queue.ID]place), requests: make(map[queue.ID]place)}
	w.survey()
	if v := w.format(); v != format {
		return otherFormat(path, v)
	}
	// The lock on the draft keeps other processes from doing the same.
	draft, err := openBolt(path+draftSuffix, false)
	if err != nil {
		return fmt.Errorf("preparing a new queue file: %w", err)
	}
	defer draft.Close()
	events, err := s.rebuild(draft, w)
	if err != nil {
		return fmt.Errorf("copying from the damaged queue file: %w: %w", errIO, err)
	}
	kept := fmt.Sprintf("%s.damaged-%d", path, time.Now().Unix())
	err = keep(path, kept)
	if err == nil {
		err = os.Rename(path+draftSuffix, path)
	}
	if err = errors.Join(err, durable.SyncDir(s.dir)); err != nil {
		return fmt.Errorf("replacing the damaged queue file: %w: %w", errIO, err)
	}
	s.logger.Error("queue file was damaged: what reads was copied into a new one", zap.String("kept", kept),
		zap.Int("events", events), zap.Int("incomplete", w.incomplete()), zap.Int("lost_pages", t.lost))
	return nil
}

// place is where a record was found: on a leaf page or, in a small bucket, beside the
// root, in which case the place has the record.
type place struct {
	page   uint64
	record []byte
	along  int // of the head of an event, found on a page that nothing leads to: how far the event had come
}

// wreck are the records that were found in a damaged file.
type wreck struct {
	tree            *tree
	heads, requests map[queue.ID]place
	others          []entry // of other buckets
}

// survey finds all records that can be read.
func (w *wreck) survey() {
	roots := w.tree.buckets(func(bucket string, key, value []byte) { w.found(bucket, 0, key, value) })
	for _, bucket := range slices.Sorted(maps.Keys(roots)) {
		w.tree.walk(roots[bucket], func(page uint64, _ uint32, key, value []byte) { w.found(bucket, page, key, value) })
	}
	if w.incomplete() > 0 || w.tree.root == 0 {
		w.tree.strays(w.stray)
	}
}

// found takes note of an entry of a bucket.
func (w *wreck) found(bucket string, page uint64, key, value []byte) {
	at := place{page: page}
	if page == 0 {
		at.record = bytes.Clone(value)
	}
	switch {
	case bucket == string(bucketHeads) && headOf(key, value) != nil:
		w.heads[queue.ID(key)] = at
	case bucket == string(bucketRequests) && isRequest(key, value):
		w.requests[queue.ID(key)] = at
	case slices.Contains(copied, bucket):
		w.others = append(w.others, entry{[]byte(bucket), bytes.Clone(key), bytes.Clone(value)})
	}
}

// format returns the format that the file says it has, if that can be read.
func (w *wreck) format() int {
	for _, e := range w.others {
		if bytes.Equal(e.bucket, bucketMeta) && bytes.Equal(e.key, keyFormat) {
			if v, err := strconv.Atoi(string(e.value)); err == nil {
				return v
			}
		}
	}
	return format
}

// copied are the buckets that are copied as they are. The others are made from the
// events.
var copied = []string{string(bucketDedup), string(bucketDamaged), string(bucketMeta), string(bucketPaused)}

// stray takes note of a record on a page that nothing leads to, if the record completes
// an event. Without a root nothing leads to any page.
func (w *wreck) stray(page uint64, key, value []byte) (more bool) {
	if len(key) != idSize {
		return true
	}
	id := queue.ID(key)
	head, hasHead := w.heads[id]
	_, hasRequest := w.requests[id]
	if e := headOf(key, value); e != nil {
		intact := hasHead && head.along == 0
		if along := 1 + progress(e); !intact && (hasRequest || w.tree.root == 0) && along > head.along {
			w.heads[id] = place{page: page, along: along}
		}
	} else if !hasRequest && (hasHead || w.tree.root == 0) && isRequest(key, value) {
		w.requests[id] = place{page: page}
	}
	return true
}

// progress is the greater, the further an event has come.
func progress(e *queue.Event) (n int) {
	for i := range e.Deliveries {
		n += e.Deliveries[i].Attempts
		if e.Deliveries[i].State != queue.Pending {
			n += 1 << 20
		}
	}
	return n
}

// incomplete returns how many events lack their head or their request.
func (w *wreck) incomplete() (n int) {
	for id := range w.heads {
		if _, ok := w.requests[id]; !ok {
			n++
		}
	}
	for id := range w.requests {
		if _, ok := w.heads[id]; !ok {
			n++
		}
	}
	return n
}

// headOf returns the event whose head a record is, nil if the record is no head.
func headOf(key, record []byte) *queue.Event {
	if len(key) != idSize {
		return nil
	}
	if e, err := readEvent(key, record); err == nil && e.ID == queue.ID(key) {
		return e
	}
	return nil
}

func isRequest(key, record []byte) bool {
	if len(key) != idSize {
		return false
	}
	_, err := readRequest(key, record)
	return err == nil
}

// rebuild fills a new queue file with the records that were found.
func (s *Store) rebuild(db *bolt.DB, w *wreck) (events int, err error) {
	if err := update(db, empty); err != nil {
		return 0, err
	}
	heads, requests := &loader{tree: w.tree}, &loader{tree: w.tree}
	ids := slices.SortedFunc(maps.Keys(w.heads), func(a, b queue.ID) int { return bytes.Compare(a[:], b[:]) })
	sums := new(sharedCounters)
	sums.reset(make(counters))
	for first := true; first || len(ids) > 0; first = false {
		err := update(db, func(tx *bolt.Tx) error {
			t := &txn{tx: tx, sums: sums, changes: make(counters)}
			if first {
				if err := t.copyOthers(w.others); err != nil {
					return err
				}
			}
			for size := 0; len(ids) > 0 && size < maxBytes; ids = ids[1:] {
				id := ids[0]
				head := heads.load(w.heads[id], id, func(b []byte) bool { return headOf(id[:], b) != nil })
				request := requests.load(w.requests[id], id, func(b []byte) bool { return isRequest(id[:], b) })
				in, err := readInsertion(id, head, request)
				if err != nil {
					continue // the head or the request is lost
				}
				if err := t.insert(in); err != nil {
					return err
				}
				events++
				size += len(request)
			}
			if err := t.flush(); err != nil {
				return err
			}
			sums.apply(t.changes)
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return events, s.adoptJournal(db)
}

// empty empties a draft, which an earlier attempt may have left behind.
func empty(tx *bolt.Tx) error {
	for _, name := range buckets {
		if err := tx.DeleteBucket(name); err != nil && tx.Bucket(name) != nil {
			return err
		}
	}
	return furnish(tx)
}

// copyOthers stores the entries of other buckets that can be read.
func (t *txn) copyOthers(entries []entry) error {
	for _, e := range entries {
		isMeta := bytes.Equal(e.bucket, bucketMeta)
		if isMeta && !bytes.Equal(e.key, keySalt) { // all of the journal is read again
			continue
		}
		if isMeta || bytes.Equal(e.bucket, bucketDedup) {
			if _, err := unseal(e.key, e.value); err != nil {
				continue
			}
		}
		if err := t.put(e.bucket, e.key, e.value); err != nil {
			return err
		}
	}
	return nil
}

// adoptJournal gives the new file the salt of the journal, if the damaged file did not
// have a readable one: the events that were acknowledged last may be in the journal only.
func (s *Store) adoptJournal(db *bolt.DB) error {
	return update(db, func(tx *bolt.Tx) error {
		if tx.Bucket(bucketMeta).Get(keySalt) != nil {
			return errUnchanged
		}
		salt, err := findSalt(s.dir)
		if err != nil {
			return err
		}
		if salt == 0 {
			return errUnchanged
		}
		return (&txn{tx: tx}).putMeta(keySalt, salt)
	})
}

// findSalt returns the salt of most frames in a directory: journal files of another queue
// may lie there, too. 0 means that there are no frames.
func findSalt(dir string) (salt uint64, err error) {
	paths, err := journalFiles(dir)
	if err != nil {
		return 0, err
	}
	frames := make(map[uint64]int)
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return 0, err
		}
		for _, f := range scanFrames(data) {
			if f.whole {
				frames[f.salt]++
			}
		}
	}
	for theirs, n := range frames {
		if n > frames[salt] {
			salt = theirs
		}
	}
	return salt, nil
}

// loader loads records from a tree. It remembers one page: records of a page are loaded
// one after the other.
type loader struct {
	tree *tree
	id   uint64
	page []byte
}

// load returns the record that was found at a place, nil if the place has none.
func (l *loader) load(at place, id queue.ID, is func([]byte) bool) (record []byte) {
	if at.page == 0 {
		return at.record
	}
	if l.id != at.page {
		page, err := l.tree.page(at.page)
		if err != nil {
			return nil
		}
		l.id, l.page = at.page, page
	}
	leaf(l.page, func(_ uint32, key, value []byte) {
		if record == nil && bytes.Equal(key, id[:]) && is(value) {
			record = value
		}
	})
	return record
}
