package module

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// maxReading is how many bytes of bodies the process reads at once.
const maxReading = 256 << 20

// bodyDeadline is how long a client may take to send a body, from its first
// bytes on. How long those may take is up to the server's own idle timeout.
const bodyDeadline = time.Minute

// The size of a buffer at first, and of the largest one that is used again.
const firstBuffer, maxPooled = 4 << 10, 16 << 10

// reading counts the bytes of all buffers that hold bodies.
var reading atomic.Int64

// body is the body of a request, in memory that is used again.
type body struct {
	bytes    []byte
	reserved int64 // of reading
}

// reserve takes n more bytes of the budget.
func (b *body) reserve(n int64) error {
	if reading.Add(n) > maxReading {
		reading.Add(-n)
		return refusedBusy
	}
	b.reserved += n
	return nil
}

// free gives the budget back, and gets ready for another body. The bytes are gone
// then.
func (b *body) free() {
	reading.Add(-b.reserved)
	b.reserved = 0
	if cap(b.bytes) > maxPooled {
		b.bytes = nil
	}
	b.bytes = b.bytes[:0]
}

// read reads a body of at most limit bytes. Memory grows with what arrives, not
// with what was announced.
func (b *body) read(w http.ResponseWriter, r *http.Request, limit int64) error {
	if r.ContentLength > limit {
		return refusedSize
	}
	if cap(b.bytes) == 0 {
		b.bytes = make([]byte, 0, firstBuffer)
	}
	if err := b.reserve(int64(cap(b.bytes))); err != nil {
		return err
	}
	slow := false
	for {
		n, err := r.Body.Read(b.bytes[len(b.bytes):cap(b.bytes)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		switch {
		case int64(len(b.bytes)) > limit:
			return refusedSize
		case err == io.EOF:
			if slow {
				setReadDeadline(w, time.Time{})
			}
			return nil
		case errors.As(err, new(*http.MaxBytesError)): // of a handler before this one
			return refusedSize
		case err != nil:
			return refusedRead
		}
		if len(b.bytes) == cap(b.bytes) {
			if err := b.grow(limit); err != nil {
				return err
			}
		}
		if !slow && int64(len(b.bytes)) != r.ContentLength {
			slow = true
			setReadDeadline(w, time.Now().Add(bodyDeadline))
		}
	}
}

// grow doubles the buffer, up to what it takes to tell that limit is passed.
func (b *body) grow(limit int64) error {
	size := min(2*int64(cap(b.bytes)), max(limit+1, firstBuffer))
	if err := b.reserve(size - int64(cap(b.bytes))); err != nil {
		return err
	}
	bytes := make([]byte, len(b.bytes), size)
	copy(bytes, b.bytes)
	b.bytes = bytes
	return nil
}

// setReadDeadline bounds the time for the rest of the body. Not every server
// can: HTTP/3 has time limits of its own.
func setReadDeadline(w http.ResponseWriter, at time.Time) {
	_ = http.NewResponseController(w).SetReadDeadline(at)
}
