package fsio

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// reflink makes the empty file dst share the blocks of src (FICLONE, of btrfs,
// XFS, bcachefs and others) and reports whether it did.
func reflink(dst, src *os.File) bool {
	return unix.IoctlFileClone(int(dst.Fd()), int(src.Fd())) == nil
}

// reflinkRange makes length bytes of dst, from position at, share the blocks of
// src from offset on (FICLONERANGE), and reports whether it did. dst grows where
// the range ends beyond it.
func reflinkRange(dst *os.File, at int64, src *os.File, offset, length int64) bool {
	return unix.IoctlFileCloneRange(int(dst.Fd()), &unix.FileCloneRange{Src_fd: int64(src.Fd()), Src_offset: uint64(offset), Src_length: uint64(length), Dest_offset: uint64(at)}) == nil
}

// copyInKernel copies up to length bytes with copy_file_range. usable is false
// where this pair of files cannot be copied so; nothing was copied then.
func copyInKernel(dst, src *os.File, offset, length int64) (n int64, usable bool, err error) {
	for {
		got, err := unix.CopyFileRange(int(src.Fd()), &offset, int(dst.Fd()), nil, int(length), 0)
		switch {
		case err == nil:
			// 0 is the end of the file, or a file such as those of /proc
			// which copy_file_range takes for empty: reading tells.
			return int64(got), got > 0, nil
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN):
		case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT), errors.Is(err, unix.EFBIG), errors.Is(err, unix.EIO):
			return 0, true, err
		default: // EXDEV, EINVAL, ENOSYS, EOPNOTSUPP, EPERM: not for these files
			return 0, false, nil
		}
	}
}
