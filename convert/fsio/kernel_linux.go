package fsio

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// reflink makes the new file dst share the blocks of src (FICLONE, of btrfs, XFS,
// bcachefs and others) and reports whether it did; if not, dst does not exist.
func reflink(src *os.File, dst string, mode os.FileMode) (done bool, err error) {
	out, err := create(dst, mode)
	if err != nil {
		return false, err
	}
	done = unix.IoctlFileClone(int(out.Fd()), int(src.Fd())) == nil
	if done {
		err = out.Chmod(mode)
	}
	if cerr := out.Close(); err == nil && done {
		err = cerr
	}
	if err != nil || !done {
		os.Remove(dst)
		return false, err
	}
	return true, nil
}

// scratch opens an empty file in dir that has no name there, where the file system
// has such files, and returns what ends it.
func scratch(dir string) (*os.File, func(), error) {
	f, err := os.OpenFile(dir, os.O_RDWR|unix.O_TMPFILE, 0o600)
	if err != nil {
		return namedScratch(dir)
	}
	return f, func() { f.Close() }, nil
}

// reflinks tells whether a file in dir can share blocks of src: its first ones
// are tried.
func reflinks(src *os.File, dir string) (bool, error) {
	out, end, err := scratch(dir)
	if err != nil {
		return false, err
	}
	defer end()
	var st unix.Stat_t
	if err := unix.Fstat(int(src.Fd()), &st); err != nil {
		return false, &os.PathError{Op: "stat", Path: src.Name(), Err: err}
	}
	first := int64(st.Blksize)
	if st.Size <= first {
		first = 0 // to the end, which need not be a whole block
	}
	return reflinkRange(out, 0, src, 0, first), nil
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

// renameNew renames unless something has the new name; errNoRename where the file
// system cannot tell.
func renameNew(from, to string) error { return renameat2(from, to, unix.RENAME_NOREPLACE) }

// exchange makes two names change places.
func exchange(a, b string) error { return renameat2(a, b, unix.RENAME_EXCHANGE) }

func renameat2(from, to string, flag uint) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, flag)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EOPNOTSUPP):
		return errNoRename
	}
	return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
}
