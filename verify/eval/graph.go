package eval

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/posenc/hint"
	"github.com/pecvt/pecvt/verify/generate"
	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/run"
)

// openGraph opens the folder's own graph where it holds n positions of this
// checkpoint and spectrum, else one made for the length in a temporary folder, which
// computes in the same type. Of one that gives the last token's logits alone it is the
// form that gives all of them. Numbers that were rounded when the folder's graph was made
// are in that alone: then one that does not fit is an error.
func openGraph(ctx context.Context, m *Model, at *family.Model, n, length int) (runner, error) {
	opts := ort.Options{Provider: m.opts.Provider, Threads: m.opts.Threads, OpsLibrary: m.opts.OpsLibrary}
	own, fits, err := ownGraph(m, n)
	if err != nil {
		return nil, err
	}
	dir, clean := m.Dir, func() {}
	if !fits {
		dtype := ""
		if own != nil {
			if dtype = own.DType; own.Accuracy != "" {
				return nil, hint.Errorf("%s: a graph with rounded weights, of %d positions, that does not run sequences of %d tokens of this folder's files: emit it again, with "+hint.MaxLength+" where it is too short", own.Path, own.MaxLength, n)
			}
		}
		if dir, err = temporaryGraph(ctx, m, at, length, dtype); err != nil {
			return nil, err
		}
		clean = func() { os.RemoveAll(dir) }
	}
	if fits { // every token is scored
		whole, err := run.Whole(own)
		if err != nil {
			return nil, err
		}
		if whole != "" {
			dir, clean = whole, func() { os.RemoveAll(whole) }
		}
	}
	g, err := generate.Open(dir, opts)
	if err != nil {
		clean()
		return nil, err
	}
	// What is loaded needs its names no longer, and what has none is left behind
	// by no interruption. Windows keeps open files.
	if runtime.GOOS != "windows" {
		clean()
	}
	return &graphRunner{graph: g, clean: clean}, nil
}

// ownGraph reads the folder's graph, nil where it has none, and tells whether it belongs
// to its tensor files and turns sequences of n tokens as the configuration says.
func ownGraph(m *Model, n int) (own *run.GraphInfo, fits bool, err error) {
	if _, err := run.FindGraph(m.Dir); errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if own, err = run.ReadGraph(m.Dir); err != nil {
		return nil, false, err
	}
	weights, err := m.ckpt.Fingerprint()
	if err != nil || own.Weights != weights || own.MaxLength < n {
		return own, false, err
	}
	fits, err = m.sameSpectra(own.MaxLength, n)
	return own, fits, err
}

// temporaryGraph makes a folder with the checkpoint's files, linked, and a graph
// of them. The caller removes it.
func temporaryGraph(ctx context.Context, m *Model, at *family.Model, length int, dtype string) (dir string, err error) {
	if dir, err = placeWeights(ctx, m.ckpt, m.opts.TempDir); err != nil {
		return "", err
	}
	_, err = onnxops.Write(dir, at, m.ckpt, onnxops.Options{MaxLength: length, DType: dtype, Version: m.opts.Version})
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		os.RemoveAll(dir)
		return "", err
	}
	return dir, nil
}

// placeWeights puts the checkpoint's files into a new folder: as hard links in
// the temporary folder, else beside the model, which shares its file system, else
// as copies in the temporary folder.
func placeWeights(ctx context.Context, ckpt store.Store, temp string) (string, error) {
	if temp == "" {
		temp = os.TempDir()
	}
	for _, base := range []string{temp, filepath.Dir(fsio.Absolute(ckpt.Root()))} {
		if dir, err := linkInto(ckpt, base); err == nil {
			return dir, nil
		}
	}
	dir, err := os.MkdirTemp(temp, "pecvt-eval-*")
	if err != nil {
		return "", fmt.Errorf("eval: temporary graph: %w", err)
	}
	for _, f := range ckpt.Files() {
		if _, err := fsio.Link(ctx, f.Path, filepath.Join(dir, filepath.Base(f.Path)), nil); err != nil {
			os.RemoveAll(dir)
			return "", fmt.Errorf("eval: temporary graph: %w", err)
		}
	}
	return dir, nil
}

func linkInto(ckpt store.Store, base string) (string, error) {
	dir, err := os.MkdirTemp(base, "pecvt-eval-*")
	if err != nil {
		return "", err
	}
	for _, f := range ckpt.Files() {
		real, err := filepath.EvalSymlinks(f.Path)
		if err == nil {
			err = os.Link(real, filepath.Join(dir, filepath.Base(f.Path)))
		}
		if err != nil {
			os.RemoveAll(dir)
			return "", err
		}
	}
	return dir, nil
}
