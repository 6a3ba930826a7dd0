package onnxops

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/posenc/hint"
)

// dataFile is the name of the graph's own data, in its folder.
func (s *initializers) dataFile() string {
	if s.folder != "" {
		return names.WebData(s.graph, 0)
	}
	return DataFile
}

// fileIn is the name that a tensor file has beside a graph in a folder of the
// model's.
func fileIn(folder, graph string, src store.Store, file string) string {
	if folder == "" {
		return filepath.Base(file)
	}
	return names.WebData(graph, slices.IndexFunc(src.Files(), func(f store.File) bool { return f.Path == file }))
}

// placeTensors puts the tensor files of dir beside the graph in its folder, and
// returns their names. The checkpoint keeps its own: the same weights are not
// stored twice, since a second name is a reflink, or a hard link where the file
// system has none. An older file of that name, of an earlier graph, goes first.
func placeTensors(dir string, src store.Store, folder, graph string) (placed, notes []string, err error) {
	list := src.Files()
	if len(list) > names.MaxWebData {
		return nil, nil, unsupported("onnx: %d tensor files: transformers.js fetches at most %d; write fewer, larger ones first, or choose "+hint.Placement+" external-copy, one file", len(list), names.MaxWebData)
	}
	for i, f := range list {
		name := names.WebData(graph, i)
		from, to := filepath.Join(dir, filepath.Base(f.Path)), filepath.Join(dir, folder, name)
		if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, nil, fmt.Errorf("onnx: %w", err)
		}
		put := fsio.Link
		if shares, err := fsio.Reflinks(from, filepath.Dir(to)); err == nil && shares {
			put = func(ctx context.Context, src, dst string, p fsio.Progress) (fsio.Action, error) {
				return fsio.Clone(ctx, src, dst, nil, p)
			}
		}
		how, err := put(context.Background(), from, to, nil)
		if err != nil {
			return nil, nil, fmt.Errorf("onnx: %s: %w", path.Join(folder, name), err)
		}
		placed = append(placed, path.Join(folder, name))
		if how == fsio.Linked && notes == nil {
			notes = []string{fmt.Sprintf("%s is a second name of %s: onnx refuses a graph over such files from 1.21.0 on, ONNX Runtime runs it; "+hint.Placement+" external-copy gives it weights of its own", path.Join(folder, name), filepath.Base(f.Path))}
		}
	}
	return placed, notes, nil
}
