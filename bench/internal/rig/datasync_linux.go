package rig

import (
	"os"
	"syscall"
)

// datasync writes what a file has to the disk, as the queue does.
func datasync(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }
