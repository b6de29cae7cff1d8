// Package durable writes files that outlive a power cut, and that belong to who
// writes them.
package durable

import (
	"errors"
	"os"
	"path/filepath"
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

// WriteFile replaces a file, which only its owner can read, in one step, and
// makes its directory if there is none. It returns once that cannot be undone
// any more.
func WriteFile(path string, content []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*") // which only the owner can read
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	if _, err = file.Write(content); err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	return errors.Join(SyncDir(dir), SyncDir(filepath.Dir(dir)))
}
