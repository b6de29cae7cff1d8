package disk

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncData forces to the disk what was written within a file. Its times may
// stay behind, which spares the disk a second write.
func syncData(f *os.File) error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); err != unix.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}

// openDirect opens a file to write past the cache of the operating system. It
// returns nil where that cannot be done.
func openDirect(path string) *os.File {
	f, err := os.OpenFile(path, os.O_WRONLY|unix.O_DIRECT, 0)
	if err != nil {
		return nil
	}
	return f
}
