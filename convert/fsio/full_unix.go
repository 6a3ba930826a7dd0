//go:build unix

package fsio

import (
	"errors"

	"golang.org/x/sys/unix"
)

// isFull reports whether err says that there is no room left.
func isFull(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}
