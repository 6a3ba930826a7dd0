package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/pecvt/pecvt/convert/gguf"
	"github.com/pecvt/pecvt/convert/gguf/arch"
	"github.com/pecvt/pecvt/convert/safetensors"
)

var (
	_ Store = (*safetensors.Checkpoint)(nil)
	_ Store = (*arch.Model)(nil)
)

// kind is a way in which tensors are stored.
type kind struct {
	name string
	// accepts is what of a path it can open, in words.
	accepts string
	// holds tells whether a path, or the folder it is, holds this kind.
	holds func(path string, isDir bool) bool
	open  func(path string) (Store, error)
}

// kinds are asked in order; a folder that none claims is the first's to explain.
var kinds = []kind{
	{
		name:    safetensors.Format,
		accepts: "a folder, a .safetensors file or a *.safetensors.index.json",
		holds: func(path string, isDir bool) bool {
			return isDir || strings.HasSuffix(path, ".safetensors") || strings.HasSuffix(path, ".safetensors.index.json")
		},
		open: func(path string) (Store, error) {
			c, err := safetensors.OpenCheckpoint(path)
			if err != nil {
				return nil, err
			}
			return c, nil
		},
	},
	{
		name:    gguf.Format,
		accepts: "a .gguf file",
		holds: func(path string, isDir bool) bool {
			return !isDir && strings.HasSuffix(strings.ToLower(path), ".gguf")
		},
		open: func(path string) (Store, error) {
			m, err := arch.Open(path)
			if err != nil {
				return nil, err
			}
			return m, nil
		},
	},
}

// Open opens the tensors of a model by its folder or one of its files, whatever
// their kind, quantised weights as [Decoded] gives them. What no kind reads is an
// error that lists what each does.
func Open(path string) (Store, error) {
	if path == "" {
		return nil, fmt.Errorf("no model is named: expected %s", accepted())
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w: expected %s", path, errors.Unwrap(err), accepted())
	}
	if err != nil {
		return nil, fmt.Errorf("open a model: %w", err)
	}
	for _, k := range kinds {
		if k.holds(path, info.IsDir()) {
			stored, err := k.open(path)
			if err != nil {
				return nil, err
			}
			s, err := Decoded(stored)
			if err != nil {
				stored.Close()
			}
			return s, err
		}
	}
	return nil, fmt.Errorf("store: %s: expected %s", path, accepted())
}

// accepted lists what each kind reads.
func accepted() string {
	var list []string
	for _, k := range kinds {
		list = append(list, k.accepts+" ("+k.name+")")
	}
	return strings.Join(list, ", or ")
}
