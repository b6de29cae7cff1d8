// Package bodies reads the bodies of requests into memory that sources and addresses
// share, and has that memory used again.
package bodies

import (
	"errors"
	"net/http"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/share"
)

// Max is how many bytes of bodies the process reads at once.
const Max = 256 << 20

// Deadline is how long a client may take to send a body. DrainDeadline is how
// long net/http waits for the rest of a body that was refused: it reads a part of
// the rest before it sends the answer.
const Deadline, DrainDeadline = time.Minute, 5 * time.Second

// reading has the memory for bodies that are being read or looked at.
var reading = share.NewPool(Max, Max/4, 64<<10)

// Body is the body of a request, as far as it was read. The zero Body is empty.
type Body struct {
	Claim share.Claim // of the memory; its Source and Client are set before Read

	buffer *Buffer // nil before
}

// Read returns these, and ErrBusy.
var (
	ErrTooLarge = errors.New("the body is too large")
	ErrCut      = errors.New("the body did not arrive whole")
)

// ErrBusy says that the claim has its share of the memory.
const ErrBusy = share.UsedUp("too much is being read at once")

// Bytes returns what was read. Nobody may use the bytes after Free.
func (b *Body) Bytes() []byte { return b.buffer.Bytes }

// Used returns how many bytes of Max are taken.
func Used() int64 { return reading.Used() }

// Reserve takes memory for n bytes that are made of the body. Free gives it back.
func (b *Body) Reserve(n int64) error {
	if !reading.Take(&b.Claim, n) {
		return ErrBusy
	}
	limitGarbage(n)
	return nil
}

// Free gives the memory back.
func (b *Body) Free() {
	reading.Give(&b.Claim)
	if b.buffer != nil {
		b.buffer.Free()
		b.buffer = nil
	}
}

// Read reads a body of at most limit bytes, or returns ErrTooLarge, ErrCut or
// ErrBusy. A body that was announced has its memory at once up to maxPooled bytes;
// beyond, memory grows with what arrives. net/http ends the deadline after the
// request.
func (b *Body) Read(w http.ResponseWriter, r *http.Request, limit int64) error {
	if r.ContentLength > limit {
		return ErrTooLarge
	}
	// One byte more than the body has shows its end, or that the body is too large.
	first, most := int64(firstBuffer), max(limit+1, firstBuffer)
	if r.ContentLength >= 0 {
		most = r.ContentLength + 1
		first = min(most, maxPooled)
	}
	if r.ContentLength != 0 {
		SetReadDeadline(w, time.Now().Add(Deadline))
	}
	for size := first; ; size = min(2*size, most) {
		if err := b.grow(size); err != nil {
			return err
		}
		switch done, err := b.buffer.fill(r.Body); {
		case int64(len(b.buffer.Bytes)) > limit:
			return ErrTooLarge
		case errors.As(err, new(*http.MaxBytesError)): // of a handler before this one
			return ErrTooLarge
		case err != nil:
			return ErrCut
		case done:
			return nil
		}
	}
}

// grow moves the body to a buffer with room for n bytes.
func (b *Body) grow(n int64) error {
	larger := b.buffer.Grow(reading, &b.Claim, n)
	if larger == nil {
		return ErrBusy
	}
	b.buffer = larger
	return nil
}

// SetReadDeadline bounds the time for the rest of the body. A server that takes no
// deadlines, such as HTTP/3's, has time limits of its own.
func SetReadDeadline(w http.ResponseWriter, at time.Time) {
	_ = http.NewResponseController(w).SetReadDeadline(at)
}
