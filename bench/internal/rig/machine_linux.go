package rig

import (
	"bytes"
	"os"
	"strconv"
	"time"
)

// MachineCPU returns the CPU time that all processes together have used, with what
// the host of a virtual machine gave to others. It is zero where the system does
// not tell.
func MachineCPU() time.Duration {
	content, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := bytes.Cut(content, []byte("\n"))
	var ticks int64
	for i, field := range bytes.Fields(line) {
		const idle, iowait, steal = 4, 5, 8
		if i == 0 || i == idle || i == iowait || i > steal {
			continue
		}
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0
		}
		ticks += n
	}
	return time.Duration(ticks) * (time.Second / 100)
}
