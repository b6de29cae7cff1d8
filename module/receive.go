package module

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/rules"
)

// webhook is a request on its way through the gateway.
type webhook struct {
	*http.Request
	received time.Time
	body     bodyBuffer
	proof    provider.Request // with the path and the query that the app gets
	input    rules.Input
	view     *rules.View
	key      queue.DedupKey
	bodyHash uint64
	offline  bool // nothing may be fetched and nobody called
}

var webhooks = sync.Pool{New: func() any { return new(webhook) }}

// receive reads the body of a request. A request whose method the provider does
// not use for webhooks is a handshake at most, so its body is not read.
func (h *Handler) receive(w http.ResponseWriter, r *http.Request) (*webhook, error) {
	received := time.Now()
	hook := webhooks.Get().(*webhook)
	if h.profile.Sends(r.Method) {
		if err := hook.body.read(w, r, h.MaxBody); err != nil {
			hook.free()
			return nil, err
		}
	}
	h.describe(hook, r, hook.body.bytes, received)
	return hook, nil
}

// describe fills in what the provider looks at.
func (h *Handler) describe(hook *webhook, r *http.Request, content []byte, received time.Time) {
	hook.Request, hook.received = r, received
	hook.proof = provider.Request{
		Method:   r.Method,
		Path:     r.URL.EscapedPath(),
		RawQuery: r.URL.RawQuery,
		Header:   r.Header,
		Body:     content,
	}
	if h.profile.SignsURL {
		hook.proof.Public = publicURL(r)
	}
	if h.profile.SignsID {
		hook.proof.DeliveryID = func() string { return h.signedID(hook) }
	}
}

// free returns the webhook to the pool, with its body and its view. Nobody may use
// the webhook afterwards.
func (hook *webhook) free() {
	if hook.view != nil {
		hook.view.Free()
	}
	hook.body.free()
	*hook = webhook{body: hook.body}
	webhooks.Put(hook)
}

// publicURL returns the URL that the client asked for, before the site's other
// handlers changed it.
func publicURL(r *http.Request) *url.URL {
	public := *r.URL
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok && original.URL != nil {
		public = *original.URL
	}
	public.Scheme, public.Host = "http", r.Host
	if isHTTPS(r) {
		public.Scheme = "https"
	}
	return &public
}

// maxReading is how many bytes of bodies the process reads at once.
const maxReading = 256 << 20

// bodyDeadline is how long a client may take to send a body, from its first
// bytes on. The server's own idle timeout bounds the wait for the first bytes.
const bodyDeadline = time.Minute

// A buffer has firstBuffer bytes at first. A buffer of more than maxPooled bytes is
// not used again.
const firstBuffer, maxPooled = 4 << 10, 16 << 10

// reading counts the bytes of all buffers that hold bodies.
var reading atomic.Int64

// bodyBuffer holds the body of a request. Its memory is used again for other
// requests.
type bodyBuffer struct {
	bytes    []byte
	reserved int64 // bytes of the budget that reading counts
}

// reserve takes n more bytes of the budget.
func (b *bodyBuffer) reserve(n int64) error {
	if reading.Add(n) > maxReading {
		reading.Add(-n)
		return refusedBusy
	}
	b.reserved += n
	return nil
}

// free gives the budget back, and empties the buffer for another body.
func (b *bodyBuffer) free() {
	reading.Add(-b.reserved)
	b.reserved = 0
	if cap(b.bytes) > maxPooled {
		b.bytes = nil
	}
	b.bytes = b.bytes[:0]
}

// read reads a body of at most limit bytes. Memory grows with what arrives, not
// with what was announced.
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
	slow := false
	for {
		n, err := r.Body.Read(b.bytes[len(b.bytes):cap(b.bytes)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		switch {
		case int64(len(b.bytes)) > limit:
			return refusedSize
		case errors.Is(err, io.EOF):
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
