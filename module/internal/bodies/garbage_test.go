package bodies

import (
	"runtime"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/share"
)

// TestGarbageOfBodies has bodies take much memory, and then makes garbage: less than
// what is in use, so that Go's collector by itself leaves the garbage where it is.
func TestGarbageOfBodies(t *testing.T) {
	held := &Body{Claim: share.Claim{Source: "s", Client: "192.0.2.1"}}
	t.Cleanup(held.Free)
	inUse := make([]byte, 4*maxGarbage)
	runtime.GC()
	for range maxGarbage>>20 + 16 {
		sink = make([]byte, 1<<20)
	}
	before := garbage()
	if before < maxGarbage {
		t.Fatalf("the test made %d bytes of garbage", before)
	}
	if err := held.grow(manyBytes + 1); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); garbage() > maxGarbage; time.Sleep(time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			t.Fatalf("%d bytes of garbage are left of %d", garbage(), before)
		}
	}
	runtime.KeepAlive(inUse)
}

// sink keeps the compiler from leaving out what a test allocates.
var sink []byte
