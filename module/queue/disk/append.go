package disk

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

const (
	// maxPooled is the capacity of the largest buffer that is used again.
	maxPooled = 64 << 10
	// maxBacklog is how many bytes of events the journal may have that the queue
	// file lacks.
	maxBacklog = 32 << 20
)

// insertion is an event on its way to the journal and to the queue file.
type insertion struct {
	event         *queue.Event
	head, request []byte
	listing              // buf has the records, too, unless they have memory of their own
	seq           uint64 // of the event's frame; set for the last event of a frame only
	visible       func()

	toJournal, toFile operation
	users             atomic.Int32 // those who still use the memory: the caller of Append, and the committer
}

// insertions are memory for later ones. bbolt and the journal do not use the memory
// after their write.
var insertions = sync.Pool{New: func() any { return &insertion{listing: listing{buf: make([]byte, 0, 4<<10)}} }}

// newInsertion returns the insertion of an event, whose Size it sets.
func newInsertion(e *queue.Event, visible func()) (*insertion, error) {
	in := insertions.Get().(*insertion)
	in.event, in.visible = e, visible
	in.users.Store(2)
	in.buf = appendRequest(openRecord(in.buf[:0]), e.Request)
	in.request = seal(e.ID[:], in.tail(0))
	e.Size = int64(len(in.request))
	start := len(in.buf)
	in.buf = appendEvent(openRecord(in.buf), e)
	in.head = seal(e.ID[:], in.tail(start))
	in.toJournal = operation{insert: in, size: len(in.head) + len(in.request)}
	in.toFile = operation{insert: in, size: in.toJournal.size}
	return in, in.add(e)
}

// leave gives the memory back when all users have left. After a failure one user never
// leaves, because somebody else may use the insertion then.
func (in *insertion) leave() {
	if in.users.Add(-1) > 0 {
		return
	}
	if cap(in.buf) > maxPooled {
		in.buf = nil
	}
	clear(in.entries)
	in.entries = in.entries[:0]
	in.event, in.visible, in.head, in.request, in.seq = nil, nil, nil, nil, 0
	insertions.Put(in)
}

// Append implements queue.Store. It sets the event's Size.
func (s *Store) Append(ctx context.Context, e *queue.Event, visible func()) error {
	if e.Request == nil {
		return errors.New("event has no request")
	}
	in, err := newInsertion(e, visible)
	if err == nil {
		err = s.journalBatcher.do(ctx, &in.toJournal)
	}
	if err == nil {
		in.leave()
	}
	return err
}

// keepJournal is the only goroutine that writes to the journal.
func (s *Store) keepJournal() {
	defer close(s.journalled)
	for target := 0; ; {
		batch := s.journalBatcher.next(target)
		if batch == nil {
			return
		}
		if batch = begin(batch); len(batch) > 0 {
			s.waitForBacklog()
			err := s.record(batch)
			for _, op := range batch {
				op.done <- err
			}
		}
		target = s.journalBatcher.expect(len(batch))
	}
}

// waitForBacklog keeps the journal from getting too far ahead.
func (s *Store) waitForBacklog() {
	for s.commitBatcher.waiting() > maxBacklog {
		<-s.progress
	}
}

// record makes a batch of insertions durable, and hands it to the committer.
func (s *Store) record(batch []*operation) error {
	f := s.files.Load()
	if f == nil {
		return s.refusal()
	}
	if err := s.journalize(f, batch); err != nil {
		return s.fail(f, err)
	}
	return nil
}

func (s *Store) journalize(f *files, batch []*operation) error {
	f.journal.mu.Lock()
	defer f.journal.mu.Unlock()
	if s.files.Load() != f { // the files were closed a moment ago
		return s.refusal()
	}
	buf := append(s.frame[:0], make([]byte, frameHeader)...)
	for _, op := range batch {
		buf = appendRecord(buf, op.insert)
	}
	seq, err := f.journal.write(buf, !s.neverSync.Load())
	if err != nil {
		return err
	}
	s.acknowledged.Store(seq)
	if s.frame = buf; cap(buf) > maxBytes {
		s.frame = nil
	}
	inserts := s.inserts[:0]
	for _, op := range batch {
		inserts = append(inserts, &op.insert.toFile)
	}
	batch[len(batch)-1].insert.seq = seq
	if s.commitBatcher.push(inserts...) != nil { // closed or refusing, but the journal has the events
		s.abandon(inserts)
	}
	clear(inserts)
	s.inserts = inserts
	return nil
}
