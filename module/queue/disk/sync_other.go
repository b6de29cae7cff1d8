//go:build !linux

package disk

import "os"

// syncData forces to the disk what was written to a file.
func syncData(f *os.File) error { return f.Sync() }
