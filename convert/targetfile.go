package convert

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/pecvt/pecvt/convert/gguf"
	"github.com/pecvt/pecvt/convert/place"
	"github.com/pecvt/pecvt/posenc/hint"
)

// oneFile reports whether the result is one file, and Output its name.
func (p *Plan) oneFile() bool { return p.Format == GGUF }

// fileName is the name of the one file.
func (p *Plan) fileName() string { return filepath.Base(p.Output) }

// kind is what a target is, in words.
func (t *target) kind() string {
	if t.file {
		return "file"
	}
	return "folder"
}

// replaceable checks that nothing but a result of pecvt's own goes when the target
// is replaced. Name is how it is called in errors.
func (t *target) replaceable(name string) error {
	if t.file {
		return replaceableFile(name, place.Local(filepath.Dir(t.path)), filepath.Base(t.path))
	}
	return replaceable(name, t.path)
}

// replaceableFile checks that a file is a GGUF file that pecvt wrote.
func replaceableFile(name string, folder *place.Folder, file string) error {
	f, err := gguf.OpenIn(folder, file)
	if errors.Is(err, gguf.ErrFormat) {
		return hint.Errorf("target %s is no GGUF file, so pecvt did not write it: "+hint.Replace+" replaces only a result of pecvt's; choose another target, or remove it yourself", name)
	}
	if err != nil {
		return fmt.Errorf("target %s: %w", name, err)
	}
	defer f.Close()
	if _, ok := f.Header.Find(manifestKey); !ok {
		return hint.Errorf("target %s has no key %q, so pecvt did not write it: "+hint.Replace+" replaces only a result of pecvt's; choose another target, or remove it yourself", name, manifestKey)
	}
	return nil
}
