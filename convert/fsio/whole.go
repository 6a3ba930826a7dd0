package fsio

import (
	"os"
	"path/filepath"
)

// WriteWhole writes a small file, whole or not at all: under another name until
// it is complete.
func WriteWhole(path string, data []byte) error {
	part := path + ".part"
	if err := os.WriteFile(part, data, 0o666); err != nil {
		return err
	}
	return os.Rename(part, path)
}

// Absolute is the absolute form of a path, or the path where the current folder
// is not known.
func Absolute(path string) string {
	if a, err := filepath.Abs(path); err == nil {
		return a
	}
	return path
}
