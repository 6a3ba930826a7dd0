package fsio

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// MakeFolders makes a folder and those above it that are not there. Undo removes
// the ones that it made, where nothing was put into them.
func MakeFolders(path string) (undo func(), err error) {
	var missing []string // innermost first
	for at := filepath.Clean(path); ; at = filepath.Dir(at) {
		if _, err := os.Lstat(at); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		missing = append(missing, at)
		if at == filepath.Dir(at) {
			break
		}
	}
	undo = func() {
		for _, dir := range missing {
			os.Remove(dir) // fails, as it should, where someone else uses it
		}
	}
	if err := os.MkdirAll(path, 0o777); err != nil {
		undo()
		return nil, fmt.Errorf("%w: choose another folder", err)
	}
	return undo, nil
}
