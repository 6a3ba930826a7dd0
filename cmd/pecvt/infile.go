package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/pecvt/pecvt/verify/eval/tokens"
)

// checkInFile tells before any work that a file to read is not there.
func checkInFile(flag, path, expected string) error {
	if path == "" {
		return nil
	}
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("--%s %s: no such file: expected %s; check the path", flag, path, expected)
	case err != nil:
		return fmt.Errorf("--%s: %w", flag, err)
	case st.IsDir():
		return fmt.Errorf("--%s %s is a folder: expected %s; name the file in it", flag, path, expected)
	}
	return nil
}

// checkTexts does so for texts or ids, and for the tokenizer, which may be named
// by its folder.
func checkTexts(texts []string, ids, tokenizer string) error {
	for i, path := range texts {
		if slices.Contains(texts[:i], path) {
			return fmt.Errorf("--text %s is given twice: what is measured on would be read elsewhere too; leave one out", path)
		}
		if err := checkInFile("text", path, "a UTF-8 text"); err != nil {
			return err
		}
	}
	if err := checkInFile("ids", ids, "a safetensors file with input_ids (rows, positions)"); err != nil {
		return err
	}
	const expected = "the model's tokenizer.json, or a folder with it"
	if st, err := os.Stat(tokenizer); err != nil || !st.IsDir() {
		return checkInFile("tokenizer", tokenizer, expected)
	}
	if _, err := os.Stat(filepath.Join(tokenizer, tokens.FileName)); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("--tokenizer %s: %w there: expected %s; name another, or give the ids with --ids", tokenizer, tokens.ErrNone, expected)
	}
	return nil
}
