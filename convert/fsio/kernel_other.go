//go:build !linux

package fsio

import "os"

// reflink reports false: this system's calls for it are not used.
func reflink(dst, src *os.File) bool { return false }

func reflinkRange(dst *os.File, at int64, src *os.File, offset, length int64) bool { return false }

// copyInKernel reports that it is not usable.
func copyInKernel(dst, src *os.File, offset, length int64) (n int64, usable bool, err error) {
	return 0, false, nil
}
