package module

import (
	"net/http"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/bodies"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/share"
)

// maxKept is how many bytes of apps' answers the process keeps at once for providers that
// wait for them.
const maxKept = 64 << 20

// keeping has the memory for such answers.
var keeping = share.NewPool(maxKept, maxKept/4, 64<<10)

// keptAnswer is an app's answer for a provider that waits for it.
type keptAnswer struct {
	status int
	header http.Header
	buffer *bodies.Buffer // nil before
	claim  share.Claim
	waits  func() bool // the provider still waits
	lost   bool        // a part of the body was not kept
}

func newKeptAnswer(source, client string, waits func() bool) *keptAnswer {
	return &keptAnswer{waits: waits, claim: share.Claim{Source: source, Client: client}}
}

// Write implements io.Writer for the body. It never fails: an answer that is not kept
// counts for its delivery all the same.
func (k *keptAnswer) Write(p []byte) (int, error) {
	if k.lost {
		return len(p), nil
	}
	size := len(k.body()) + len(p)
	if size > maxAnswer || !k.waits() || !k.reserve(size) {
		k.Free()
		return len(p), nil
	}
	k.buffer.Bytes = append(k.buffer.Bytes, p...)
	return len(p), nil
}

// reserve makes room for a body of so many bytes. It returns false if there is none.
func (k *keptAnswer) reserve(size int) bool {
	if k.buffer != nil && size <= cap(k.buffer.Bytes) {
		return true
	}
	if k.buffer != nil {
		size = max(size, min(2*cap(k.buffer.Bytes), maxAnswer))
	}
	larger := k.buffer.Grow(keeping, &k.claim, int64(size))
	if larger != nil {
		k.buffer = larger
	}
	return larger != nil
}

// whole reports whether a body of so many bytes was kept.
func (k *keptAnswer) whole(size int64) bool { return !k.lost && int64(len(k.body())) == size }

func (k *keptAnswer) body() []byte {
	if k.buffer == nil {
		return nil
	}
	return k.buffer.Bytes
}

// Free implements queue.Answer.
func (k *keptAnswer) Free() {
	k.lost = true
	keeping.Give(&k.claim)
	if k.buffer != nil {
		k.buffer.Free()
		k.buffer = nil
	}
}
