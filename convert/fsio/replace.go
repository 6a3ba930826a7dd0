package fsio

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Put renames from, a file or a folder, to a name that nothing has. Where something
// has it the error satisfies errors.Is(err, fs.ErrExist) and both stay; only an empty
// folder may give way to a folder, where the system cannot tell.
func Put(from, to string) error {
	err := renameNew(from, to)
	if err != errNoRename {
		return err
	}
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		if err := os.Link(from, to); err == nil { // never over another file, as a rename would
			return os.Remove(from)
		} else if errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if !info.IsDir() && exists(to) {
		return &fs.PathError{Op: "rename", Path: to, Err: fs.ErrExist}
	}
	err = os.Rename(from, to)
	if err != nil && exists(to) {
		return &fs.PathError{Op: "rename", Path: to, Err: fs.ErrExist}
	}
	return err
}

// Replace puts the folder from, which lies in the temporary folder, in the place of
// the folder to, in one step where the system can exchange two names. The older one
// is then in the temporary folder and goes with it. After an error it is where it was.
func (t *Temporary) Replace(from, to string) error {
	if err := exchange(from, to); err != errNoRename {
		return err
	}
	aside := filepath.Join(t.root, asideName) // sweep puts it back
	if err := os.Rename(to, aside); err != nil {
		return fmt.Errorf("cannot move the old one aside: %w", err)
	}
	if err := os.Rename(from, to); err != nil {
		if back := os.Rename(aside, to); back != nil {
			t.root = "" // it stays
			return fmt.Errorf("%w; the old one is now at %s: %w", err, aside, back)
		}
		return err
	}
	return nil
}

// errNoRename says that a system or file system lacks such a rename.
var errNoRename = errors.New("no such rename here")
