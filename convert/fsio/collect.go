package fsio

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Collection is files that come into a folder together, once all of them are there.
type Collection struct {
	*Temporary
	folder string
	undo   func()
}

// Collect makes a temporary folder for files of folder: beside it where it is not there,
// else in it, which may be where a file system is mounted. Folders above it are made. The
// caller fills Dir, calls Deliver, and in any case Discard.
func Collect(folder string) (*Collection, error) {
	folder = filepath.Clean(folder)
	undo, err := MakeFolders(filepath.Dir(folder))
	if err != nil {
		return nil, err
	}
	c := &Collection{folder: folder, undo: undo}
	dir, name := filepath.Dir(folder), filepath.Base(folder)
	if exists(folder) {
		dir, name = folder, "import"
	}
	if c.Temporary, err = NewTemporary(dir, name); err != nil {
		undo()
		return nil, fmt.Errorf("%w: choose another folder", err)
	}
	return c, nil
}

// Discard removes what was not delivered, with the folders made for it.
func (c *Collection) Discard() {
	c.Remove()
	c.undo()
}

// Deliver puts the files of Dir into the folder under their names: all at once where it
// is new, else in the order given, so that the last one is to be what makes the result
// readable. A file that is there already and differs is
// an error that satisfies errors.Is(err, fs.ErrExist); then nothing is put there. One
// with the same bytes is what a killed run delivered.
func (c *Collection) Deliver(names []string) (err error) {
	if filepath.Dir(c.root) != c.folder && Put(c.Dir, c.folder) == nil {
		return c.Remove()
	}
	there := map[string]bool{}
	for _, name := range names {
		to := filepath.Join(c.folder, name)
		if !exists(to) {
			continue
		}
		equal, err := sameBytes(filepath.Join(c.Dir, name), to)
		if err != nil {
			return err
		}
		if !equal {
			return &fs.PathError{Op: "write", Path: to, Err: fs.ErrExist}
		}
		there[name] = true
	}
	var put []string
	defer func() {
		if err != nil {
			for _, path := range put {
				os.Remove(path)
			}
		}
	}()
	for _, name := range names {
		if there[name] {
			continue
		}
		to := filepath.Join(c.folder, name)
		if err := Put(filepath.Join(c.Dir, name), to); err != nil {
			return err
		}
		put = append(put, to)
	}
	return c.Remove()
}

// sameBytes tells whether two files hold the same.
func sameBytes(a, b string) (bool, error) {
	f, err := os.Open(a)
	if err != nil {
		return false, err
	}
	defer f.Close()
	g, err := os.Open(b)
	if err != nil {
		return false, err
	}
	defer g.Close()
	one, two := make([]byte, 1<<16), make([]byte, 1<<16)
	for {
		n, err1 := io.ReadFull(f, one)
		m, err2 := io.ReadFull(g, two)
		if !bytes.Equal(one[:n], two[:m]) {
			return false, nil
		}
		if err1 == nil && err2 == nil {
			continue
		}
		for _, err := range []error{err1, err2} {
			if err != io.EOF && err != io.ErrUnexpectedEOF {
				return false, err
			}
		}
		return true, nil
	}
}
