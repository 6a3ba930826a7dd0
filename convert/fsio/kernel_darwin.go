package fsio

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// reflink makes the new file dst share the blocks of src (clonefile, of APFS) and
// reports whether it did; if not, dst does not exist.
func reflink(src *os.File, dst string, mode os.FileMode) (done bool, err error) {
	err = unix.Fclonefileat(int(src.Fd()), unix.AT_FDCWD, dst, 0)
	switch {
	case errors.Is(err, unix.EEXIST):
		return false, &os.PathError{Op: "clone", Path: dst, Err: err}
	case err != nil: // ENOTSUP, EXDEV and others: a copy may work, or says why not
		return false, nil
	}
	if err := os.Chmod(dst, mode); err != nil {
		os.Remove(dst)
		return false, err
	}
	return true, nil
}

func scratch(dir string) (*os.File, func(), error) { return namedScratch(dir) }

// reflinks tells whether a file in dir can share blocks of src, by making one
// that is gone at once.
func reflinks(src *os.File, dir string) (bool, error) {
	t, err := NewTemporary(dir, "scratch")
	if err != nil {
		return false, err
	}
	defer t.Remove()
	return reflink(src, filepath.Join(t.Dir, "file"), 0o600)
}

func reflinkRange(dst *os.File, at int64, src *os.File, offset, length int64) bool { return false }

// copyInKernel reports that it is not usable.
func copyInKernel(dst, src *os.File, offset, length int64) (n int64, usable bool, err error) {
	return 0, false, nil
}

// renameNew renames unless something has the new name; errNoRename where the file
// system cannot tell.
func renameNew(from, to string) error { return renamex(from, to, unix.RENAME_EXCL) }

// exchange makes two names change places.
func exchange(a, b string) error { return renamex(a, b, unix.RENAME_SWAP) }

func renamex(from, to string, flag uint32) error {
	err := unix.RenamexNp(from, to, flag)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOTSUP):
		return errNoRename
	}
	return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
}
