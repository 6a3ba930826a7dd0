package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pecvt/pecvt/convert/retrofit"
)

// work is the folder beside the target in which an interrupted retrofit finds
// what it had done: the selection, and layer by layer the calibration.
type work struct{ dir string }

// workFor names the folder of a target.
func workFor(output string) work { return work{filepath.Clean(output) + ".calibration"} }

// check refuses what is no folder, or none to write to, in its place.
func (w work) check(output string) error {
	st, err := os.Stat(w.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && !st.IsDir() {
		return fmt.Errorf("target %s: %s, which keeps its calibration until that is done, is no folder: move it away, or choose another target", output, w.dir)
	}
	if err == nil {
		var dir string
		if dir, err = os.MkdirTemp(w.dir, ".check-*"); err == nil {
			return os.Remove(dir)
		}
	}
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return fmt.Errorf("target %s: cannot write to %s, which keeps its calibration until that is done: %w; choose another target", output, w.dir, err)
}

func (w work) selection() string { return filepath.Join(w.dir, "selection.json") }

// kept reports whether anything was stored.
func (w work) kept() bool {
	entries, err := os.ReadDir(w.dir)
	return err == nil && len(entries) > 0
}

// stored is a selection and what it was made from.
type stored struct {
	Key       string              `json:"key"`
	Selection *retrofit.Selection `json:"selection"`
}

// keyOf names everything that decides a selection.
func keyOf(parts ...any) (string, error) {
	text, err := json.Marshal(parts)
	if err != nil {
		return "", fmt.Errorf("work folder: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// load returns the stored selection of that key; nil if there is none.
func (w work) load(key string, turns []retrofit.Turn) (*retrofit.Selection, error) {
	text, err := os.ReadFile(w.selection())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("work folder: %w", err)
	}
	var s stored
	if err := json.Unmarshal(text, &s); err != nil || s.Selection == nil {
		return nil, fmt.Errorf("work folder: %s holds no selection: remove %s", w.selection(), w.dir)
	}
	if s.Key != key {
		return nil, fmt.Errorf("work folder %s holds a selection of another model or text, or with other options: remove it, or choose another target", w.dir)
	}
	if err := s.Selection.Bind(turns); err != nil {
		return nil, fmt.Errorf("work folder: %s: %w: remove %s", w.selection(), err, w.dir)
	}
	return s.Selection, nil
}

// save stores a selection, whole or not at all.
func (w work) save(key string, s *retrofit.Selection) error {
	text, err := json.Marshal(stored{key, s})
	if err == nil {
		err = os.MkdirAll(w.dir, 0o777)
	}
	part := w.selection() + ".part"
	if err == nil {
		err = os.WriteFile(part, text, 0o666)
	}
	if err == nil {
		err = os.Rename(part, w.selection())
	}
	if err != nil {
		return fmt.Errorf("work folder: %w", err)
	}
	return nil
}

// left makes an error say that work was kept; a folder that holds nothing goes.
func (w work) left(err error) error {
	if err == nil {
		return nil
	}
	if !w.kept() {
		os.Remove(w.dir)
		return err
	}
	return keptError{err, w.dir}
}

// keptError is an error after which a work folder stays.
type keptError struct {
	error
	dir string
}

func (e keptError) Unwrap() error { return e.error }

func (e keptError) Error() string {
	if errors.Is(e.error, retrofit.ErrBudget) {
		return fmt.Sprintf("%v; what was computed is kept in %s, from which the same command with --over-budget goes on", e.error, e.dir)
	}
	return fmt.Sprintf("%v; what was computed is kept in %s", e.error, e.dir)
}
