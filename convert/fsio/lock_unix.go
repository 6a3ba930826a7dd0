//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package fsio

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// noFollow opens no symbolic link.
const noFollow = unix.O_NOFOLLOW

// lockFile takes the exclusive lock on an open file, which goes when the file is
// closed, as it is when the process ends. It does not wait: errLocked, errNoLocks.
func lockFile(f *os.File) error {
	for {
		switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK):
			return errLocked
		default:
			return errNoLocks
		}
	}
}
