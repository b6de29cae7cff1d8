//go:build !linux

package scheme_test

import "time"

// timed returns the time that a run takes.
func timed(run func()) time.Duration {
	start := time.Now()
	run()
	return time.Since(start)
}
