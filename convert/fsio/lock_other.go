//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly || windows)

package fsio

import "os"

const noFollow = 0

// lockFile finds no locks.
func lockFile(*os.File) error { return errNoLocks }
