package disk

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

const (
	// maxPooled is the capacity of the largest buffer that is used again, and
	// maxPooledEvents that of the longest list of events.
	maxPooled, maxPooledEvents = 64 << 10, 64
	// maxBacklog is how many bytes of events the journal may have that the queue
	// file lacks.
	maxBacklog = 32 << 20
)

// insertion are the events of one request on their way to the journal and to the queue
// file. They share a frame of the journal, and a transaction of the queue file.
type insertion struct {
	events  []inserted
	listing        // buf has the records, too, unless they have memory of their own
	seq     uint64 // of the frame; set for the last insertion of a frame only
	visible func()

	toJournal, toFile operation
	users             atomic.Int32 // those who still use the memory: the caller of Append, and the committer
}

// inserted is an event of an insertion.
type inserted struct {
	event         *queue.Event
	head, request []byte
	entries       int // how many index entries the insertion has up to those of the event
}

// insertions are memory for later ones. bbolt and the journal do not use the memory
// after their write.
var insertions = sync.Pool{New: func() any { return &insertion{listing: listing{buf: make([]byte, 0, 4<<10)}} }}

// newInsertion returns the insertion of events, whose Size it sets.
func newInsertion(events []*queue.Event, visible func()) (*insertion, error) {
	in := insertions.Get().(*insertion)
	in.visible, in.buf = visible, in.buf[:0]
	in.users.Store(2)
	if len(events) > 1 {
		in.buf = slices.Grow(in.buf, roomFor(events))
	}
	size := 0
	for _, e := range events {
		n, err := in.record(e)
		if err != nil {
			return nil, err
		}
		size += n
	}
	in.toJournal = operation{insert: in, size: size}
	in.toFile = operation{insert: in, size: size}
	return in, nil
}

// roomFor estimates how much memory the records and index entries of events take.
func roomFor(events []*queue.Event) (n int) {
	const perHead, perDelivery = 512, 256
	for _, e := range events {
		n += int(e.Request.Size()) + perHead + len(e.Deliveries)*perDelivery
	}
	return n
}

// record adds the records and the index entries of an event, and returns the size of the
// records.
func (in *insertion) record(e *queue.Event) (size int, err error) {
	start := len(in.buf)
	in.buf = appendRequest(openRecord(in.buf), e.Request)
	request := seal(e.ID[:], in.tail(start))
	e.Size = int64(len(request))
	start = len(in.buf)
	in.buf = appendEvent(openRecord(in.buf), e)
	head := seal(e.ID[:], in.tail(start))
	return len(head) + len(request), in.addInserted(e, head, request)
}

func (in *insertion) addInserted(e *queue.Event, head, request []byte) error {
	err := in.add(e)
	in.events = append(in.events, inserted{e, head, request, len(in.entries)})
	return err
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
	clear(in.events)
	in.entries, in.events = in.entries[:0], in.events[:0]
	if cap(in.events) > maxPooledEvents {
		in.entries, in.events = nil, nil
	}
	in.visible, in.seq = nil, 0
	insertions.Put(in)
}

// Append implements queue.Store.
func (s *Store) Append(ctx context.Context, events []*queue.Event, visible func()) ([]*queue.Duplicate, error) {
	for _, e := range events {
		if e.Request == nil {
			return nil, errors.New("event has no request")
		}
	}
	in, err := newInsertion(events, visible)
	if err == nil {
		err = s.journalBatcher.do(ctx, &in.toJournal)
	}
	if err == nil {
		in.leave()
	}
	return nil, err
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
	size := frameHeader + blockSize // which padding may fill
	for _, op := range batch {
		size += op.size + len(op.insert.events)*recordFixed
	}
	buf := append(slices.Grow(s.frame[:0], size), make([]byte, frameHeader)...)
	for _, op := range batch {
		for i := range op.insert.events {
			buf = appendRecord(buf, &op.insert.events[i])
		}
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
