package module

import (
	"errors"
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

// reading has the memory for bodies that are being read or looked at.
var reading = share.NewPool(maxReading, maxReading/4, 64<<10)

// requestBody is the body of a request, as far as it was read.
type requestBody struct {
	buffer *buffer // nil before
	claim  share.Claim
}

const errReading = share.UsedUp("too much is being read at once")

// free gives the memory back.
func (b *requestBody) free() {
	reading.Give(&b.claim)
	if b.buffer != nil {
		b.buffer.free()
		b.buffer = nil
	}
}

// read reads a body of at most limit bytes. A body that was announced has its memory
// at once up to maxPooled bytes; beyond, memory grows with what arrives. net/http ends
// the deadline after the request.
func (b *requestBody) read(w http.ResponseWriter, r *http.Request, limit int64) error {
	if r.ContentLength > limit {
		return refusedSize
	}
	// One byte more than the body has shows its end, or that the body is too large.
	first, most := int64(firstBuffer), max(limit+1, firstBuffer)
	if r.ContentLength >= 0 {
		most = r.ContentLength + 1
		first = min(most, maxPooled)
	}
	if r.ContentLength != 0 {
		setReadDeadline(w, time.Now().Add(bodyDeadline))
	}
	for size := first; ; size = min(2*size, most) {
		if err := b.grow(size); err != nil {
			return err
		}
		switch done, err := b.buffer.fill(r.Body); {
		case int64(len(b.buffer.bytes)) > limit:
			return refusedSize
		case errors.As(err, new(*http.MaxBytesError)): // of a handler before this one
			return refusedSize
		case err != nil:
			return refusedRead
		case done:
			return nil
		}
	}
}

// grow moves the body to a buffer with room for n bytes.
func (b *requestBody) grow(n int64) error {
	larger := b.buffer.grow(reading, &b.claim, n)
	if larger == nil {
		return errReading
	}
	b.buffer = larger
	return nil
}

// setReadDeadline bounds the time for the rest of the body. A server that takes no
// deadlines, such as HTTP/3's, has time limits of its own.
func setReadDeadline(w http.ResponseWriter, at time.Time) {
	_ = http.NewResponseController(w).SetReadDeadline(at)
}
