package bodies

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/iotest"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/share"
)

// TestBodyIsRead reads bodies of all sizes around those of buffers, announced and not,
// whole and in pieces.
func TestBodyIsRead(t *testing.T) {
	const limit = 300 << 10
	var sizes []int
	for size := firstBuffer; size <= 2*limit; size *= 2 {
		sizes = append(sizes, size-1, size, size+1)
	}
	for _, size := range append(sizes, 0, 1, limit-1, limit, limit+1) {
		for _, announced := range []bool{true, false} {
			for _, pieces := range []func(io.Reader) io.Reader{func(r io.Reader) io.Reader { return r }, iotest.HalfReader, iotest.DataErrReader} {
				content := bytes.Repeat([]byte("0123456789abcde"), size/15+1)[:size]
				r := httptest.NewRequest(http.MethodPost, "/", pieces(bytes.NewReader(content)))
				r.ContentLength = -1
				if announced {
					r.ContentLength = int64(size)
				}
				b := Body{Claim: share.Claim{Source: "s", Client: "192.0.2.1"}}
				err := b.Read(httptest.NewRecorder(), r, limit)
				switch {
				case size > limit && !errors.Is(err, ErrTooLarge), size <= limit && err != nil:
					t.Errorf("%d bytes, announced %v: error %v", size, announced, err)
				case err == nil && !bytes.Equal(b.buffer.Bytes, content):
					t.Errorf("%d bytes, announced %v: the body is another one", size, announced)
				}
				b.Free()
			}
		}
	}
	if reading.Used() != 0 {
		t.Errorf("%d bytes are still taken", reading.Used())
	}
}

// TestBodyTakesNoMemoryThatItHasNot has a body announced that does not come.
func TestBodyTakesNoMemoryThatItHasNot(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/", iotest.ErrReader(io.ErrUnexpectedEOF))
	r.ContentLength = 10 << 20
	var b Body
	defer b.Free()
	if err := b.Read(httptest.NewRecorder(), r, 10<<20); !errors.Is(err, ErrCut) {
		t.Errorf("error %v", err)
	}
	if n := cap(b.buffer.Bytes); n > maxPooled || reading.Used() != int64(n) {
		t.Errorf("%d bytes are held, %d are taken", n, reading.Used())
	}
}

// TestBodiesShareMemory reads bodies one after the other. Most get the memory of one
// before: the race detector has pools forget some.
func TestBodiesShareMemory(t *testing.T) {
	content := make([]byte, 20<<10)
	seen := make(map[*byte]bool)
	for range 100 {
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(content))
		var b Body
		if err := b.Read(httptest.NewRecorder(), r, 1<<20); err != nil {
			t.Fatal(err)
		}
		seen[&b.buffer.Bytes[0]] = true
		b.Free()
	}
	if len(seen) > 60 {
		t.Errorf("100 bodies took %d buffers", len(seen))
	}
}
