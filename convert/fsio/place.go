package fsio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Action says how a file came to its place.
type Action string

// The actions, from the cheapest.
const (
	Linked    Action = "linked"    // hard link: both names are one file
	Reflinked Action = "reflinked" // shared blocks, copied when either file is written
	Copied    Action = "copied"
)

// Progress is told of bytes as they reach the target, piece by piece. It may be
// nil.
type Progress func(bytes int64)

// Link places the content of the file src under the new name dst in the cheapest
// way that the file system allows: a hard link, else what [Clone] does. A
// symbolic link src is followed first, since the link itself may not lead
// anywhere from dst. An existing dst is an error that satisfies
// errors.Is(err, fs.ErrExist). After an error dst does not exist, unless it did
// before.
func Link(ctx context.Context, src, dst string, progress Progress) (Action, error) {
	real, err := filepath.EvalSymlinks(src)
	if err != nil {
		return "", fmt.Errorf("link %s: %w", src, err)
	}
	// Only regular files: a hard link to a device or socket would be kept as one.
	if info, err := os.Stat(real); err != nil {
		return "", fmt.Errorf("link %s: %w", src, err)
	} else if !info.Mode().IsRegular() {
		return "", fmt.Errorf("link %s: not a regular file", src)
	}
	err = os.Link(real, dst)
	switch {
	case err == nil:
		report(progress, dst)
		return Linked, nil
	case errors.Is(err, fs.ErrExist):
		return "", err
	}
	// Whatever kept the link from being made (another file system, a file
	// system without links, another owner's file), a copy may still work, and
	// if it does not its own error says why.
	return Clone(ctx, real, dst, nil, progress)
}

// Clone places the content of the file src at the new name dst as a file of its
// own, which changes to either leave alone: a reflink where the file system can
// (FICLONE on Linux, clonefile on macOS), which takes as long for any size and no
// space, else a copy as of [CopyRange], of which see, where it is not nil, is shown all
// bytes. It has the permission bits of src. The errors are those of [Link].
func Clone(ctx context.Context, src, dst string, see io.Writer, progress Progress) (action Action, err error) {
	in, info, err := openRegular(src)
	if err != nil {
		return "", err
	}
	defer in.Close()
	if done, err := reflink(in, dst, info.Mode().Perm()); err != nil {
		return "", err
	} else if done {
		report(progress, dst)
		return Reflinked, nil
	}
	out, err := create(dst, info.Mode().Perm())
	if err != nil {
		return "", err
	}
	defer func() {
		if cerr := out.Close(); err == nil && cerr != nil {
			err = WriteError(dst, cerr)
		}
		if err != nil {
			os.Remove(dst)
		}
	}()
	if err := CopyRange(ctx, out, in, 0, info.Size(), see, progress); err != nil {
		return "", err
	}
	return Copied, out.Chmod(info.Mode().Perm())
}

func report(progress Progress, path string) {
	if progress == nil {
		return
	}
	if info, err := os.Stat(path); err == nil {
		progress(info.Size())
	}
}

// openRegular opens a file to copy from.
func openRegular(path string) (*os.File, os.FileInfo, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("copy %s: not a regular file", path)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// create makes a file to write to. The owner can always write, as the content
// still has to come; the bits that it should have are set at the end.
func create(path string, mode os.FileMode) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode|0o200)
}

// step bounds one in-kernel copy, so that an interrupt and the progress display
// do not wait for a whole file.
const step = 32 << 20

// piece is what a copy that does not stay in the kernel reads at a time: it fits into a
// processor's cache.
const piece = 256 << 10

// shown reads from a file and shows what it read.
type shown struct {
	src *os.File
	see io.Writer
}

func (s *shown) ReadAt(p []byte, at int64) (int, error) {
	n, err := s.src.ReadAt(p, at)
	s.see.Write(p[:n])
	return n, err
}

// CopyRange appends length bytes of src, from the given offset, to dst at its
// current position: in the kernel where the system can and see is nil, else through see,
// which is shown every piece before it is written and gives no error. That takes no more
// processor time than in the kernel, where pages are copied just as well. The position of
// src stays as it is. A source that ends early and a full disk are errors that name
// the file; ctx ends the copy between two steps.
func CopyRange(ctx context.Context, dst, src *os.File, offset, length int64, see io.Writer, progress Progress) error {
	inKernel := see == nil
	var from io.ReaderAt = src
	if see != nil {
		from = &shown{src, see}
	}
	var buffer []byte
	for done := int64(0); done < length; {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("copy %s: %w", src.Name(), err)
		}
		n, want := int64(0), min(length-done, step)
		if inKernel {
			var err error
			n, inKernel, err = copyInKernel(dst, src, offset+done, want)
			if err != nil {
				return WriteError(dst.Name(), err)
			}
		}
		if !inKernel && n == 0 {
			var err error
			if buffer == nil {
				buffer = make([]byte, min(piece, length))
			}
			n, err = io.CopyBuffer(struct{ io.Writer }{dst}, io.NewSectionReader(from, offset+done, want), buffer)
			if err != nil {
				return WriteError(dst.Name(), err)
			}
		}
		if n == 0 {
			return fmt.Errorf("copy %s: it ends at byte %d, expected %d more: the file changed while it was read",
				src.Name(), offset+done, length-done)
		}
		done += n
		if progress != nil {
			progress(n)
		}
	}
	return nil
}

// WriteError names the file that could not be written, unless err is about
// another one (the source, which could not be read).
func WriteError(path string, err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		if pathErr.Path != path {
			return err
		}
		err = pathErr.Err
	}
	if isFull(err) {
		return fmt.Errorf("write %s: %w: free some space or choose another folder", path, err)
	}
	return fmt.Errorf("write %s: %w", path, err)
}
