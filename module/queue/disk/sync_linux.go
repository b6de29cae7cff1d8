package disk

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// syncData forces to the disk what was written within a file. Its times may
// stay behind, which spares the disk a second write.
func syncData(f *os.File) error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
