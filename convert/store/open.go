package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/pecvt/pecvt/convert/gguf"
	"github.com/pecvt/pecvt/convert/gguf/arch"
	"github.com/pecvt/pecvt/convert/place"
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
	// holds tells whether a file of a folder, by its name, or the folder itself, where
	// that is empty, holds this kind.
	holds func(name string) bool
	// open takes the folder over, to be closed with the store or after an error.
	open func(folder *place.Folder, name string) (Store, error)
}

// kinds are asked in order; a folder that none claims is the first's to explain.
var kinds = []kind{
	{
		name:    safetensors.Format,
		accepts: "a folder, a .safetensors file or a *.safetensors.index.json",
		holds: func(name string) bool {
			return name == "" || strings.HasSuffix(name, ".safetensors") || strings.HasSuffix(name, ".safetensors.index.json")
		},
		open: func(folder *place.Folder, name string) (Store, error) {
			c, err := safetensors.OpenCheckpointIn(folder, name)
			if err != nil {
				return nil, err
			}
			return c, nil
		},
	},
	{
		name:    gguf.Format,
		accepts: "a .gguf file",
		holds:   func(name string) bool { return strings.HasSuffix(strings.ToLower(name), ".gguf") },
		open: func(folder *place.Folder, name string) (Store, error) {
			m, err := arch.OpenIn(folder, name)
			if err != nil {
				return nil, err
			}
			return m, nil
		},
	},
}

// Open opens the tensors of a model by its folder or one of its files, on the local
// disk or, by URL, elsewhere (package place), whatever their kind, quantised weights as
// [Decoded] gives them. What no kind reads is an error that lists what each does.
func Open(path string) (Store, error) { return OpenContext(context.Background(), path) }

// OpenContext is [Open] for a context that ends the requests of a store that is not of
// the local disk.
func OpenContext(ctx context.Context, path string) (Store, error) {
	if path == "" {
		return nil, fmt.Errorf("no model is named: expected %s", accepted())
	}
	at, err := place.Parse(path)
	if err != nil {
		return nil, err
	}
	isDir := true
	if local, ok := at.Local(); ok {
		info, err := os.Stat(local)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: %w: expected %s", path, errors.Unwrap(err), accepted())
		}
		if err != nil {
			return nil, fmt.Errorf("open a model: %w", err)
		}
		isDir = info.IsDir()
	} else {
		isDir = !place.IsFile(at.Base())
	}
	name := ""
	if !isDir {
		at, name = at.Split()
	}
	for _, k := range kinds {
		if !k.holds(name) {
			continue
		}
		folder, err := at.Open(ctx)
		if err == nil { // elsewhere Open looked for it
			err = folder.Finished()
		}
		if err != nil {
			return nil, err
		}
		return k.decoded(folder, name)
	}
	return nil, fmt.Errorf("store: %s: expected %s", path, accepted())
}

// OpenIn is [Open] for a folder of safetensors files that is open. It is closed with the
// store, or after an error.
func OpenIn(folder *place.Folder) (Store, error) { return kinds[0].decoded(folder, "") }

func (k kind) decoded(folder *place.Folder, name string) (Store, error) {
	stored, err := k.open(folder, name)
	if err != nil {
		return nil, err
	}
	s, err := Decoded(stored)
	if err != nil {
		stored.Close()
	}
	return s, err
}

// Folder is where a store's files lie; nil where it is of none.
func Folder(s Reader) *place.Folder {
	if d, ok := s.(*decoded); ok {
		return Folder(d.Store)
	}
	if f, ok := s.(interface{ Folder() *place.Folder }); ok {
		return f.Folder()
	}
	return nil
}

// accepted lists what each kind reads.
func accepted() string {
	var list []string
	for _, k := range kinds {
		list = append(list, k.accepts+" ("+k.name+")")
	}
	return strings.Join(list, ", or ")
}
