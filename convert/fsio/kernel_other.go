//go:build !linux && !darwin

package fsio

import "os"

// reflink reports false: this system's calls for it are not used.
func reflink(src *os.File, dst string, mode os.FileMode) (done bool, err error) { return false, nil }

// reflinks reports false likewise.
func reflinks(src *os.File, dir string) (bool, error) {
	_, err := os.Stat(dir)
	return false, err
}

func scratch(dir string) (*os.File, func(), error) { return namedScratch(dir) }

func reflinkRange(dst *os.File, at int64, src *os.File, offset, length int64) bool { return false }

// copyInKernel reports that it is not usable.
func copyInKernel(dst, src *os.File, offset, length int64) (n int64, usable bool, err error) {
	return 0, false, nil
}

// renameNew and exchange are not there.
func renameNew(from, to string) error { return errNoRename }
func exchange(a, b string) error      { return errNoRename }
