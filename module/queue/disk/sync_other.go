//go:build !linux

package disk

import "os"

// syncData forces to the disk what was written to a file.
func syncData(f *os.File) error { return f.Sync() }

// openDirect would open a file to write past the cache of the operating system.
func openDirect(string) *os.File { return nil }
