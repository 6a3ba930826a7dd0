package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pecvt/pecvt/convert/fsio"
)

// reports are what the files begin with that are written by a flag.
var reports = []string{"<!doctype html", "<?xml", "<svg", "\x89PNG"}

// olderReport tells whether the file at path may give way: an empty one, or one
// of the kind that goes there. Weights, graphs and notes may not.
func olderReport(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, 16)
	n, err := io.ReadFull(f, head)
	if n == 0 && errors.Is(err, io.EOF) {
		return nil
	}
	for _, begin := range reports {
		if text := string(head[:n]); strings.HasPrefix(text, begin) || strings.HasPrefix(strings.ToLower(text), begin) {
			return nil
		}
	}
	return errors.New("there is a file that is no older report or picture: it is not overwritten; give another name or remove it")
}

// checkOutFile tells before any work whether a file can be put at path.
func checkOutFile(flag, path string) error {
	if path == "" {
		return nil
	}
	if st, err := os.Stat(path); err == nil {
		if !st.Mode().IsRegular() {
			return fmt.Errorf("--%s %s is no regular file: expected the name of a file to write", flag, path)
		}
		if err := olderReport(path); err != nil {
			return fmt.Errorf("--%s %s: %w", flag, path, err)
		}
	}
	dir := filepath.Dir(path)
	st, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("--%s %s: the folder %s does not exist; make it first", flag, path, dir)
	case err != nil:
		return fmt.Errorf("--%s: %w", flag, err)
	case !st.IsDir():
		return fmt.Errorf("--%s %s: %s is no folder", flag, path, dir)
	}
	return nil
}

// writeOutFile puts what write writes at path, whole or not at all: into a
// temporary file beside it, to the disk, and then under its name. A report is for
// whoever may read the folder.
func writeOutFile(path string, write func(io.Writer) error) error {
	return fsio.Whole(path, 0o644, true, write)
}
