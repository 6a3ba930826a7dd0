package tune

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/convert/retrofit"
)

// folder is the one beside the target in which an interrupted job finds what it
// had done: the selection here, and layer by layer the calibration, which is
// package retrofit's.
type folder struct {
	dir   string
	claim *fsio.Claim
}

// folderFor names the folder of a target.
func folderFor(output string) *folder { return &folder{dir: filepath.Clean(output) + ".calibration"} }

// take makes the folder this job's alone until free or remove: two that fill one would
// each fit what the other has fitted, and the first to end would take the folder from
// under the second.
func (f *folder) take(output string) error {
	for try := 0; ; try++ {
		err := os.MkdirAll(f.dir, 0o777)
		if err == nil {
			f.claim, err = fsio.Take(filepath.Join(f.dir, ".lock"))
		}
		switch {
		case err == nil:
			return nil
		case errors.Is(err, fs.ErrNotExist) && try < 10: // another that ended took it away
		case errors.Is(err, fsio.ErrClaimed):
			return fmt.Errorf("target %s: another run calibrates it: %s is %w: wait until that has ended, or choose another target", output, f.dir, err)
		default:
			return f.refused(output, err)
		}
	}
}

// free lets others have the folder, which goes where it holds nothing.
func (f *folder) free() {
	f.claim.Release()
	f.claim = nil
	if !f.keeps() {
		os.Remove(f.dir)
	}
}

// remove removes the folder, its lock last.
func (f *folder) remove() error {
	entries, err := os.ReadDir(f.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == ".lock" {
			continue
		}
		if err := os.RemoveAll(filepath.Join(f.dir, e.Name())); err != nil {
			return err
		}
	}
	if err := f.claim.Release(); err != nil {
		return err
	}
	if err := os.Remove(f.dir); err != nil && !f.taken() {
		return err
	}
	return nil
}

// taken tells whether another has begun in the folder that was just left.
func (f *folder) taken() bool {
	_, err := os.Lstat(filepath.Join(f.dir, ".lock"))
	return err == nil
}

// check refuses what is no folder, or none to write to, in its place.
func (f *folder) check(output string) error {
	st, err := os.Stat(f.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && !st.IsDir() {
		return fmt.Errorf("target %s: %s, which keeps its calibration until that is done, is no folder: move it away, or choose another target", output, f.dir)
	}
	if err == nil {
		var own *fsio.Temporary
		if own, err = fsio.NewTemporary(f.dir, "check"); err == nil {
			return own.Remove()
		}
	}
	return f.refused(output, err)
}

// refused says that the folder cannot be used.
func (f *folder) refused(output string, err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return fmt.Errorf("target %s: cannot write to %s, which keeps its calibration until that is done: %w; choose another target", output, f.dir, err)
}

func (f *folder) selection() string { return filepath.Join(f.dir, "selection.json") }

// keeps reports whether anything was stored, whole.
func (f *folder) keeps() bool {
	entries, err := os.ReadDir(f.dir)
	return err == nil && slices.ContainsFunc(entries, func(e os.DirEntry) bool { return !strings.HasPrefix(e.Name(), ".") })
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
func (f *folder) load(key string, turns []retrofit.Turn) (*retrofit.Selection, error) {
	text, err := os.ReadFile(f.selection())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("work folder: %w", err)
	}
	var s stored
	if err := json.Unmarshal(text, &s); err != nil || s.Selection == nil {
		return nil, fmt.Errorf("work folder: %s holds no selection: remove %s", f.selection(), f.dir)
	}
	if s.Key != key {
		return nil, fmt.Errorf("work folder %s holds a selection of another model or text, or with other options: remove it, or choose another target", f.dir)
	}
	if err := s.Selection.Bind(turns); err != nil {
		return nil, fmt.Errorf("work folder: %s: %w: remove %s", f.selection(), err, f.dir)
	}
	return s.Selection, nil
}

// save stores a selection, whole or not at all.
func (f *folder) save(key string, s *retrofit.Selection) error {
	text, err := json.Marshal(stored{key, s})
	if err == nil {
		err = fsio.WriteWhole(f.selection(), text)
	}
	if err != nil {
		return fmt.Errorf("work folder: %w", err)
	}
	return nil
}

// left ends the work by an error, which says that work was kept; a folder that holds
// nothing goes.
func (f *folder) left(err error) error {
	if err == nil {
		return nil
	}
	f.free()
	if !f.keeps() {
		return err
	}
	return &KeptError{err, f.dir}
}

// KeptError is an error after which a work folder stays, from which the same job
// goes on. One over the budget (retrofit.ErrBudget) goes on with OverBudget.
type KeptError struct {
	Err error
	// Folder is where the work is.
	Folder string
}

func (e *KeptError) Unwrap() error { return e.Err }

func (e *KeptError) Error() string {
	return fmt.Sprintf("%v; what was computed is kept in %s", e.Err, e.Folder)
}
