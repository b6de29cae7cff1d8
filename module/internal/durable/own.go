package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// CheckOwn refuses a path that secrets must not be written to: of a file that is
// not a plain one of the operator's, and in a directory that is not there.
func CheckOwn(path string) error {
	if path == "" || path == "-" {
		return errors.New("name the file to write: a request with its secrets is not printed")
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return fmt.Errorf("there is no directory %s", filepath.Dir(path))
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is there and is no plain file", path)
	case !isOwn(info):
		return fmt.Errorf("%s is there and belongs to another user", path)
	}
	return nil
}
