// Package durable makes changes of the file system outlive a power cut.
package durable

import (
	"os"
	"runtime"
)

// SyncDir makes the names in a directory durable. On Windows it does nothing:
// directories cannot be synced there.
func SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
