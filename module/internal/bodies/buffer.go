package bodies

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

// Buffer is memory for a body. A nil Buffer has room for nothing.
type Buffer struct{ Bytes []byte }

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
func newBuffer(n int64) *Buffer {
	size := sizeOf(n)
	if size <= maxPooled {
		if b, ok := pooled[classOf(size)].Get().(*Buffer); ok {
			return b
		}
	}
	return &Buffer{make([]byte, 0, size)}
}

// Grow moves what is in a buffer, which may be nil, to one with room for n bytes. The
// memory comes out of a pool; Grow returns nil if the claim has its share.
func (b *Buffer) Grow(pool *share.Pool, claim *share.Claim, n int64) *Buffer {
	held := int64(0)
	if b != nil {
		held = int64(cap(b.Bytes))
	}
	if !pool.Take(claim, sizeOf(n)-held) {
		return nil
	}
	limitGarbage(sizeOf(n))
	larger := newBuffer(n)
	if b != nil {
		larger.Bytes = append(larger.Bytes, b.Bytes...)
		b.Free()
	}
	return larger
}

// fill reads until the buffer is full or nothing more comes.
func (b *Buffer) fill(from io.Reader) (done bool, err error) {
	for len(b.Bytes) < cap(b.Bytes) {
		n, err := from.Read(b.Bytes[len(b.Bytes):cap(b.Bytes)])
		b.Bytes = b.Bytes[:len(b.Bytes)+n]
		if err == io.EOF { // as io.Reader says; an error that wraps io.EOF is another one
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

// Free has the buffer used again.
func (b *Buffer) Free() {
	size := int64(cap(b.Bytes))
	if size > maxPooled {
		return
	}
	b.Bytes = b.Bytes[:0]
	pooled[classOf(size)].Put(b)
}
