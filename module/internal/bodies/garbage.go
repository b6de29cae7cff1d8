package bodies

import (
	"runtime"
	gauges "runtime/metrics"
	"sync"
	"sync/atomic"
	"time"
)

// While bodies take more than manyBytes, garbage is collected as soon as there is
// maxGarbage of it.
const manyBytes, maxGarbage = Max / 4, 32 << 20

var (
	collecting sync.Mutex
	watching   atomic.Bool
)

// limitGarbage keeps garbage small while bodies take much memory, before n bytes more
// are made for one. Go's collector lets garbage grow until there is as much of it as
// of all that is in use: it would double what strangers take with bodies that nobody
// has proven.
func limitGarbage(n int64) {
	if reading.Used() <= manyBytes {
		return
	}
	if watching.CompareAndSwap(false, true) {
		go watchGarbage()
	}
	if n > maxPooled {
		collectGarbage()
	}
}

// watchGarbage collects what others than bodies leave, for as long as bodies take much.
func watchGarbage() {
	defer watching.Store(false)
	for ; reading.Used() > manyBytes; time.Sleep(50 * time.Millisecond) {
		collectGarbage()
	}
}

// collectGarbage returns when there is little garbage.
func collectGarbage() {
	collecting.Lock()
	defer collecting.Unlock()
	if garbage() > maxGarbage {
		runtime.GC()
	}
}

// garbage returns how many bytes have been allocated since the last collection.
func garbage() uint64 {
	samples := []gauges.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/heap/live:bytes"}}
	gauges.Read(samples)
	objects, live := samples[0].Value.Uint64(), samples[1].Value.Uint64()
	return max(objects, live) - live
}
