package verify

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
)

// ErrChanged is of a file that was written to or replaced while it was verified: the
// checks would be of two different ones.
var ErrChanged = errors.New("it changed while it was verified: verify again when nobody writes to it")

// watched is what the files of a verification were like when it began, by their paths.
type watched map[string]fs.FileInfo

// watch takes note of what the paths name: files, and those directly in folders.
func watch(paths ...string) watched {
	w := watched{}
	for _, path := range paths {
		info, err := os.Stat(path)
		if path == "" || err != nil { // what is not there is an error of whoever reads it
			continue
		}
		if !info.IsDir() {
			w[path] = info
			continue
		}
		entries, err := os.ReadDir(path)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if info, err := os.Stat(filepath.Join(path, e.Name())); err == nil && info.Mode().IsRegular() {
				w[filepath.Join(path, e.Name())] = info
			}
		}
	}
	return w
}

// ignore takes files out.
func (w watched) ignore(which func(path string) bool) {
	maps.DeleteFunc(w, func(path string, _ fs.FileInfo) bool { return which(path) })
}

// changed is an error that names a file which is another one than at the beginning, or
// has another size or time; nil where none is.
func (w watched) changed() error {
	for path, before := range w {
		now, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("verify: %s is gone: %w", path, ErrChanged)
		case err != nil:
			return fmt.Errorf("verify: %w", err)
		case !os.SameFile(before, now):
			return fmt.Errorf("verify: %s is another file than before: %w", path, ErrChanged)
		case before.Size() != now.Size() || !before.ModTime().Equal(now.ModTime()):
			const clock = "15:04:05.000"
			return fmt.Errorf("verify: %s has %d bytes of %s, had %d of %s: %w", path, now.Size(), now.ModTime().Format(clock), before.Size(), before.ModTime().Format(clock), ErrChanged)
		}
	}
	return nil
}
