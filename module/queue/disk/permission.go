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
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) || runtime.GOOS == "windows" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking at the queue directory: %w", err)
	}
	mode := info.Mode().Perm()
	switch {
	case mode&0o002 != 0:
		return fmt.Errorf("everyone can write to the queue directory %s (mode %03o), and replace what is in it; run: chmod 700 %s", dir, mode, dir)
	case mode&0o020 != 0:
		logger.Warn("a group can write to the queue directory, and replace what is in it",
			zap.String("path", dir), zap.String("mode", fmt.Sprintf("%03o", mode)), zap.String("fix", "chmod 700 "+dir))
	case mode&0o055 != 0:
		logger.Warn("others can read the queue directory, though not its files",
			zap.String("path", dir), zap.String("mode", fmt.Sprintf("%03o", mode)), zap.String("fix", "chmod 700 "+dir))
	}
	return nil
}
