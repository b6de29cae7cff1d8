package disk

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	bolt "go.etcd.io/bbolt"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// recover opens the journal, and brings the events that the queue file lacks into it.
func (s *Store) recover(db *bolt.DB) (*journal, error) {
	f := &files{db: db} // write needs no journal here
	salt, applied, err := s.journalPosition(f)
	if err != nil {
		return nil, fmt.Errorf("preparing the journal: %w", err)
	}
	j, frames, damaged, err := openJournal(s.dir, salt, applied)
	if err != nil {
		return nil, err
	}
	// An append that this process has refused must not turn up after all.
	acknowledged := s.acknowledged.Load()
	frames = slices.DeleteFunc(frames, func(f frame) bool { return f.seq > acknowledged })
	if last := len(frames) - 1; last >= 0 && acknowledged == math.MaxUint64 {
		frames[last].torn = !frames[last].whole
	}
	for len(frames) > 0 && err == nil {
		n, size := 0, 0
		for ; n < len(frames) && (n == 0 || size < maxBytes); n++ {
			size += len(frames[n].records)
		}
		err = s.write(f, func(t *txn) error { return s.replay(t, frames[:n]) })
		frames = frames[n:]
	}
	for _, path := range damaged {
		if err == nil {
			var kept string
			kept, err = j.setAside(path)
			s.logger.Error("journal is damaged: all that reads was taken from it", zap.String("kept", kept))
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reading journal: %w", err), j.close())
	}
	if j.seq > applied { // a refused frame may be the last one
		err = s.write(f, func(t *txn) error { t.applied = j.seq; return nil })
		if err != nil {
			return nil, errors.Join(fmt.Errorf("emptying journal: %w", err), j.close())
		}
	}
	j.applied.Store(j.seq)
	s.acknowledged.Store(j.seq)
	return j, nil
}

// journalPosition returns what the queue file knows of its journal. A queue file that
// knows no salt gets one.
func (s *Store) journalPosition(f *files) (salt, applied uint64, err error) {
	err = s.write(f, func(t *txn) error {
		meta := t.tx.Bucket(bucketMeta)
		if err := readMeta(meta, keySalt, &salt); err != nil || salt == 0 {
			var random [8]byte
			rand.Read(random[:])
			salt = binary.LittleEndian.Uint64(random[:]) | 1
			return t.putMeta(keySalt, salt)
		}
		if err := readMeta(meta, keyApplied, &applied); err != nil {
			// The whole journal is read again. Events that the queue file has stay as they are.
			s.logger.Error("position in the journal is damaged", zap.Error(err))
			applied = 0
		}
		return nil
	})
	return salt, applied, err
}

func readMeta(meta *bolt.Bucket, key []byte, to *uint64) error {
	record := meta.Get(key)
	if record == nil {
		return nil
	}
	return unsealNumbers(key, record, to)
}

// replay inserts the events of frames. A record that cannot be read was never
// acknowledged, or was damaged since: replay goes on with the next one. A torn frame may
// have a part of a request only, so replay takes none of that request's events.
func (s *Store) replay(t *txn, frames []frame) error {
	events, unreadable := 0, 0
	for _, f := range frames {
		for records := f.records; len(records) > 0; {
			id, head, request, rest := cutRecord(records)
			records = rest
			in, err := readInsertion(id, head, request)
			if err != nil || f.torn && in.events[0].event.Part != (queue.Part{}) {
				unreadable++
				continue
			}
			if err := t.insert(in); err != nil {
				return err
			}
			events++
		}
		t.applied = f.seq
	}
	s.logger.Info("events were brought from the journal into the queue file",
		zap.Int("events", events), zap.Int("unreadable", unreadable))
	return nil
}

// readInsertion makes an insertion from the records of an event.
func readInsertion(id queue.ID, head, request []byte) (*insertion, error) {
	e, err := readEvent(id[:], head)
	if err != nil {
		return nil, err
	}
	if _, err := readRequest(id[:], request); err != nil {
		return nil, err
	}
	in := new(insertion)
	return in, in.addInserted(e, head, request)
}
