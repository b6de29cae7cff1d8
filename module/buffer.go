package module

import (
	"io"
	"math/bits"
	"sync"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/share"
)

// Buffers come in classes: those of the first have firstBuffer bytes, those of each
// other class twice as many as the class before, and those of the last maxPooled.
const firstBuffer, maxPooled = 4 << 10, 64 << 10

// pooled are buffers that nobody uses, by class.
var pooled [5]sync.Pool

// buffer is memory for a body.
type buffer struct{ bytes []byte }

// classOf returns the class of the smallest buffers that have n bytes.
func classOf(n int64) int {
	return max(0, bits.Len64(uint64(n-1))-bits.Len64(firstBuffer-1))
}

// sizeOf returns how many bytes newBuffer takes for n bytes.
func sizeOf(n int64) int64 {
	if n > maxPooled {
		return n
	}
	return firstBuffer << classOf(n)
}

// newBuffer returns an empty buffer with room for n bytes. Buffers of more than
// maxPooled bytes have no class.
func newBuffer(n int64) *buffer {
	size := sizeOf(n)
	if size <= maxPooled {
		if b, ok := pooled[classOf(size)].Get().(*buffer); ok {
			return b
		}
	}
	return &buffer{make([]byte, 0, size)}
}

// grow moves what is in a buffer, which may be nil, to one with room for n bytes. The
// memory comes out of a pool; grow returns nil if the claim has its share.
func (b *buffer) grow(pool *share.Pool, claim *share.Claim, n int64) *buffer {
	held := int64(0)
	if b != nil {
		held = int64(cap(b.bytes))
	}
	if !pool.Take(claim, sizeOf(n)-held) {
		return nil
	}
	limitGarbage(sizeOf(n))
	larger := newBuffer(n)
	if b != nil {
		larger.bytes = append(larger.bytes, b.bytes...)
		b.free()
	}
	return larger
}

// fill reads until the buffer is full or nothing more comes.
func (b *buffer) fill(from io.Reader) (done bool, err error) {
	for len(b.bytes) < cap(b.bytes) {
		n, err := from.Read(b.bytes[len(b.bytes):cap(b.bytes)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		if err == io.EOF { // as io.Reader says; an error that wraps io.EOF is another one
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

// free has the buffer used again.
func (b *buffer) free() {
	size := int64(cap(b.bytes))
	if size > maxPooled {
		return
	}
	b.bytes = b.bytes[:0]
	pooled[classOf(size)].Put(b)
}
