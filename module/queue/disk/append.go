package disk

import (
	"context"
	"errors"
	"sync"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

const (
	// maxPooled is the capacity of the largest buffer that is used again.
	maxPooled = 64 << 10
	// maxBacklog is how many bytes the journal may be ahead of the queue file.
	maxBacklog = 32 << 20
)

// insertion is an event on its way to the journal and to the queue file.
type insertion struct {
	event         *queue.Event
	head, request []byte
	entries       []entry
	buf           *[]byte // what head and request lie in; nil: in memory of their own
	seq           uint64  // of its frame, set for the last event in it
	visible       func()
}

// Append implements queue.Store. It sets the event's Size.
func (s *Store) Append(ctx context.Context, e *queue.Event, visible func()) error {
	if e.Request == nil {
		return errors.New("event has no request")
	}
	in := &insertion{event: e, buf: buffers.Get().(*[]byte), visible: visible}
	err := in.encode()
	if err == nil {
		err = s.appends.do(ctx, &operation{insert: in, size: len(in.head) + len(in.request)})
	}
	if err != nil {
		in.free()
	}
	return err
}

func (in *insertion) encode() (err error) {
	e := in.event
	buf := appendRequest(openRecord((*in.buf)[:0]), e.Request)
	in.request = seal(e.ID[:], buf)
	e.Size = int64(len(in.request))
	start := len(buf)
	buf = appendEvent(openRecord(buf), e)
	in.head = seal(e.ID[:], buf[start:])
	*in.buf = buf
	in.entries, err = index(e)
	return err
}

// buffers hold the records of events on their way.
var buffers = sync.Pool{New: func() any { return new(make([]byte, 0, 4<<10)) }}

// free gives back the memory of head and request.
func (in *insertion) free() {
	if in.buf != nil && cap(*in.buf) <= maxPooled {
		buffers.Put(in.buf)
	}
}

// keepJournal is the only goroutine that writes to the journal.
func (s *Store) keepJournal() {
	defer close(s.journalled)
	for target := 0; ; {
		batch := s.appends.next(target)
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
		target = s.appends.expect(len(batch))
	}
}

// waitForBacklog keeps the journal from getting too far ahead.
func (s *Store) waitForBacklog() {
	for s.intake.waiting() > maxBacklog {
		<-s.progress
	}
}

// record makes a batch of insertions durable, and hands them to the committer.
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
	if s.files.Load() != f { // closed a moment ago
		return s.refusal()
	}
	frame := append(s.frame[:0], make([]byte, frameHeader)...)
	for _, op := range batch {
		frame = appendRecord(frame, op.insert)
	}
	seq, err := f.journal.write(frame, !s.neverSync.Load())
	if err != nil {
		return err
	}
	s.acknowledged.Store(seq)
	if s.frame = frame; cap(frame) > maxBytes {
		s.frame = nil
	}
	inserts, memory := make([]*operation, len(batch)), make([]operation, len(batch))
	for i, op := range batch {
		inserts[i] = &memory[i]
		inserts[i].insert, inserts[i].size = op.insert, op.size
	}
	inserts[len(inserts)-1].insert.seq = seq
	if s.intake.push(inserts...) != nil { // it is in the journal all the same
		s.abandon(inserts)
	}
	return nil
}
