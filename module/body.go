package module

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/share"
)

// maxReading is how many bytes of bodies the process reads at once.
const maxReading = 256 << 20

// bodyDeadline is how long a client may take to send a body. drainDeadline is how
// long net/http waits for the rest of a body that was refused: it reads a part of
// the rest before it sends the answer.
const bodyDeadline, drainDeadline = time.Minute, 5 * time.Second

// A buffer has firstBuffer bytes at first. A buffer of more than maxPooled bytes is
// not used again.
const firstBuffer, maxPooled = 4 << 10, 16 << 10

// reading has the memory for bodies that are being read or looked at.
var reading = share.NewPool(maxReading, maxReading/4, 64<<10)

// bodyBuffer holds the body of a request. Its memory is used again for other
// requests.
type bodyBuffer struct {
	bytes []byte
	claim share.Claim
}

// reserve takes n more bytes of the memory for bodies.
func (b *bodyBuffer) reserve(n int64) error {
	if !reading.Take(&b.claim, n) {
		return refusedBusy
	}
	limitGarbage()
	return nil
}

// free gives the memory back, and empties the buffer for another body.
func (b *bodyBuffer) free() {
	reading.Give(&b.claim)
	if cap(b.bytes) > maxPooled {
		b.bytes = nil
	}
	b.bytes = b.bytes[:0]
}

// read reads a body of at most limit bytes. Memory grows with what arrives, not
// with what was announced. net/http ends the deadline after the request.
func (b *bodyBuffer) read(w http.ResponseWriter, r *http.Request, limit int64) error {
	if r.ContentLength > limit {
		return refusedSize
	}
	if cap(b.bytes) == 0 {
		b.bytes = make([]byte, 0, firstBuffer)
	}
	if err := b.reserve(int64(cap(b.bytes))); err != nil {
		return err
	}
	if r.ContentLength != 0 {
		setReadDeadline(w, time.Now().Add(bodyDeadline))
	}
	for {
		n, err := r.Body.Read(b.bytes[len(b.bytes):cap(b.bytes)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		switch {
		case int64(len(b.bytes)) > limit:
			return refusedSize
		case errors.Is(err, io.EOF):
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
	}
}

// grow doubles the buffer, to limit+1 bytes at most: one byte more than the limit
// shows that the body is too large.
func (b *bodyBuffer) grow(limit int64) error {
	size := min(2*int64(cap(b.bytes)), max(limit+1, firstBuffer))
	if err := b.reserve(size - int64(cap(b.bytes))); err != nil {
		return err
	}
	larger := make([]byte, len(b.bytes), size)
	copy(larger, b.bytes)
	b.bytes = larger
	return nil
}

// setReadDeadline bounds the time for the rest of the body. A server that takes no
// deadlines, such as HTTP/3's, has time limits of its own.
func setReadDeadline(w http.ResponseWriter, at time.Time) {
	_ = http.NewResponseController(w).SetReadDeadline(at)
}
