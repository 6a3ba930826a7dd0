package fsio

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Whole writes a file, whole or not at all, over an older one of its name: what fill
// writes goes into a [Temporary] beside it first, with the given permission, and to
// the disk where durable is set.
func Whole(path string, mode os.FileMode, durable bool, fill func(io.Writer) error) (err error) {
	t, err := NewTemporary(filepath.Dir(path), filepath.Base(path))
	if err != nil {
		return WriteError(path, system(err, filepath.Dir(path)))
	}
	defer func() {
		if rerr := t.Remove(); err == nil {
			err = rerr
		}
	}()
	part := filepath.Join(t.Dir, "part")
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return WriteError(path, system(err, t.root))
	}
	err = fill(f)
	if err == nil && durable {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(part, path)
	}
	if err == nil {
		return nil
	}
	if of := system(err, t.root); of != err {
		return WriteError(path, of)
	}
	return err
}

// WriteWhole is [Whole] for a small file.
func WriteWhole(path string, data []byte) error {
	return Whole(path, 0o666, false, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// system is what the system said of a file in a folder, without its path, which
// nobody asked for; an error of something else as it is.
func system(err error, folder string) error {
	var at *fs.PathError
	var two *os.LinkError
	switch {
	case errors.As(err, &at) && strings.HasPrefix(at.Path, folder):
		return at.Err
	case errors.As(err, &two) && strings.HasPrefix(two.Old, folder):
		return two.Err
	}
	return err
}

// Absolute is the absolute form of a path, or the path where the current folder
// is not known.
func Absolute(path string) string {
	if a, err := filepath.Abs(path); err == nil {
		return a
	}
	return path
}

// Join names a file of a folder, by the folder's path or, where that is the URL of one
// elsewhere (SCHEME://…), by URL. The name has slashes.
func Join(folder, name string) string {
	if strings.Contains(folder, "://") {
		return strings.TrimSuffix(folder, "/") + "/" + name
	}
	return filepath.Join(folder, filepath.FromSlash(name))
}
