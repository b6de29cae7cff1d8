//go:build !linux

package rig

import "os"

// datasync writes what a file has to the disk.
func datasync(f *os.File) error { return f.Sync() }
