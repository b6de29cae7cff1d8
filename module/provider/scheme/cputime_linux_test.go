package scheme_test

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// timed returns the processor's time that a run takes on its thread. Whatever else
// the machine does makes no difference to that.
func timed(run func()) time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := threadTime()
	run()
	return threadTime() - before
}

func threadTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return time.Duration(t.Nano())
}
