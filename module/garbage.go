package module

import (
	"runtime"
	gauges "runtime/metrics"
	"sync/atomic"
	"time"
)

// While bodies take more than manyBytes, garbage is collected as soon as there is
// maxGarbage of it.
const manyBytes, maxGarbage = maxReading / 4, 32 << 20

var collecting atomic.Bool

// limitGarbage keeps garbage small while bodies take much memory. Go's collector lets
// garbage grow until there is as much of it as of all that is in use: it would double
// what strangers take with bodies that nobody has proven.
func limitGarbage() {
	if reading.Used() <= manyBytes || !collecting.CompareAndSwap(false, true) {
		return
	}
	go func() {
		defer collecting.Store(false)
		for ; reading.Used() > manyBytes; time.Sleep(50 * time.Millisecond) {
			if garbage() > maxGarbage {
				runtime.GC()
			}
		}
	}()
}

// garbage returns how many bytes have been allocated since the last collection.
func garbage() uint64 {
	samples := []gauges.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/heap/live:bytes"}}
	gauges.Read(samples)
	objects, live := samples[0].Value.Uint64(), samples[1].Value.Uint64()
	return max(objects, live) - live
}
