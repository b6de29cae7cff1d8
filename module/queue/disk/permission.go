package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"

	"go.uber.org/zap"
)

// checkPermissions refuses a queue directory that everyone can write to: any user of
// the machine could put files in the place of the queue's. It warns of one that more
// users than the owner can read or write. A directory that is made here is nobody
// else's.
func checkPermissions(dir string, logger *zap.Logger) error {
	mode, err := permissions(dir)
	switch problem := exposure(mode); {
	case err != nil:
		return fmt.Errorf("looking at the queue directory: %w", err)
	case mode&0o002 != 0:
		return fmt.Errorf("everyone can write to the queue directory %s (mode %03o), and replace what is in it; run: chmod 700 %s", dir, mode, dir)
	case problem != "":
		logger.Warn(problem, zap.String("path", dir), zap.String("mode", fmt.Sprintf("%03o", mode)), zap.String("fix", "chmod 700 "+dir))
	}
	return nil
}

// Exposed says who else than its owner gets at the queue directory, and what mends
// that; "" for nobody.
func (b *Backend) Exposed() (problem, fix string) {
	mode, err := permissions(b.dir)
	if err != nil {
		return "", "" // which opening the queue says
	}
	return exposure(mode), "run: chmod 700 " + b.dir
}

// permissions returns the mode of a directory, 0 for one that is still to be made.
func permissions(dir string) (fs.FileMode, error) {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) || runtime.GOOS == "windows" {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Mode().Perm(), nil
}

func exposure(mode fs.FileMode) string {
	switch {
	case mode&0o002 != 0:
		return "everyone can write to the queue directory, and replace what is in it"
	case mode&0o020 != 0:
		return "a group can write to the queue directory, and replace what is in it"
	case mode&0o055 != 0:
		return "others can read the queue directory, though not its files"
	}
	return ""
}
