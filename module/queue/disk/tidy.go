package disk

import (
	"context"
	"os"
	"slices"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

const (
	// What the journal may take beyond twice the requests in it. Events mostly go
	// in the order in which they came, and whole files with them: this is for the
	// few that stay.
	journalSlack = 64 << 20
	// tidyFiles are emptied at once at most.
	tidyFiles = 8
)

// tidy gives back the space of requests that are gone. What is still needed of
// the emptiest files of the journal moves into the queue file.
func (s *Store) tidy(ctx context.Context) error {
	for range tidyFiles {
		f := s.files.Load()
		if f == nil {
			return s.refusal()
		}
		file := f.journal.emptiest()
		if file == nil {
			return f.journal.shrink()
		}
		if err := s.empty(ctx, f.journal, file); err != nil {
			return err
		}
	}
	return nil
}

// emptiest returns the file with the smallest share of requests that are still
// needed, nil as long as the journal takes no more than it may.
func (j *journal) emptiest() (file *journalFile) {
	j.mu.Lock()
	defer j.mu.Unlock()
	size, needed, least := int64(0), int64(0), 1.0
	for i, f := range j.files {
		in := j.sums.get(fileTally(f.number)).Bytes
		if in == 0 {
			continue
		}
		size, needed = size+f.size, needed+in
		share := float64(in) / float64(f.size)
		if current := i == len(j.files)-1; !current && !f.stuck && f.last <= j.applied.Load() && share < least {
			file, least = f, share
		}
	}
	if size <= 2*needed+journalSlack {
		return nil
	}
	return file
}

// shrink removes the files that are not needed.
func (j *journal) shrink() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed || len(j.files) == 0 {
		return nil
	}
	return j.trim()
}

// empty moves the requests in a file of the journal into the queue file.
func (s *Store) empty(ctx context.Context, j *journal, file *journalFile) error {
	content, err := os.ReadFile(file.Name())
	if err != nil {
		return err
	}
	var events []framed
	for _, f := range scanFrames(content) {
		if f.file = file; f.salt == j.salt && f.whole {
			events = slices.AppendSeq(events, f.events)
		}
	}
	for len(events) > 0 {
		n, size := 0, 0
		for ; n < len(events) && n < page && (n == 0 || size < maxBytes); n++ {
			size += len(events[n].request)
		}
		err := s.do(ctx, func(t *txn) error { return t.take(events[:n]) })
		if err != nil {
			return err
		}
		events = events[n:]
	}
	// What cannot be read stays where it is, until it is asked for.
	j.mu.Lock()
	defer j.mu.Unlock()
	file.stuck = j.sums.get(fileTally(file.number)).Count > 0
	return nil
}

// take stores the requests of those events whose request lies where they were
// found.
func (t *txn) take(events []framed) error {
	for _, e := range events {
		at, ok, err := parseLocation(e.id[:], t.tx.Bucket(bucketRequests).Get(e.id[:]))
		if !ok || err != nil || at != e.at || unseal(e.id[:], e.request, new(queue.Request)) != nil {
			continue
		}
		if err := t.putRequest(e.id[:], e.request); err != nil {
			return err
		}
	}
	return nil
}
