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
	"github.com/pecvt/pecvt/posenc"
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
	there, fits, err := ownGraph(m, n)
	if err != nil {
		return nil, err
	}
	dir, clean := m.Dir, func() {}
	if !fits {
		dtype := ""
		if there != nil {
			if dtype = there.DType; there.Accuracy != "" {
				return nil, hint.Errorf("%s: a graph with rounded weights, of %d positions, that does not run sequences of %d tokens of this folder's files: emit it again, with "+hint.MaxLength+" where it is too short", there.Path, there.MaxLength, n)
			}
		}
		own, err := temporaryGraph(ctx, m, at, length, dtype)
		if err != nil {
			return nil, err
		}
		dir, clean = own.Dir, func() { own.Remove() }
	}
	if fits { // every token is scored
		whole, err := run.Whole(there)
		if err != nil {
			return nil, err
		}
		if whole != nil {
			dir, clean = whole.Dir, func() { whole.Remove() }
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
// of them. The caller removes it. Where the model has that form, its attention is
// GroupQueryAttention: on the CPU and in float32 ONNX Runtime (1.32) goes over the keys in
// blocks there and writes caches in place, so that memory grows by the keys and values
// alone, where the standard operator has scores of a piece with all keys and two copies
// of the cache.
func temporaryGraph(ctx context.Context, m *Model, at *family.Model, length int, dtype string) (*fsio.Temporary, error) {
	own, err := placeWeights(ctx, m.ckpt, m.opts.TempDir)
	if err != nil {
		return nil, err
	}
	o := onnxops.Options{MaxLength: length, DType: dtype, Version: m.opts.Version}
	if m.opts.Provider == ort.ProviderCPU && m.opts.OpsLibrary == "" && dtype == "" {
		o.Attention = onnxops.AttentionORT
	}
	_, err = onnxops.Write(own.Dir, at, m.ckpt, o)
	if o.Attention != "" && errors.Is(err, posenc.ErrUnsupported) {
		o.Attention = ""
		_, err = onnxops.Write(own.Dir, at, m.ckpt, o)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		own.Remove()
		return nil, err
	}
	return own, nil
}

// placeWeights puts the checkpoint's files into a new folder: as hard links in
// the temporary folder, else beside the model, which shares its file system, else
// as copies in the temporary folder.
func placeWeights(ctx context.Context, ckpt store.Store, temp string) (*fsio.Temporary, error) {
	for _, base := range []string{temp, filepath.Dir(fsio.Absolute(ckpt.Root()))} {
		if own, err := linkInto(ckpt, base); err == nil {
			return own, nil
		}
	}
	own, err := fsio.NewTemporary(temp, "eval")
	if err != nil {
		return nil, fmt.Errorf("eval: temporary graph: %w", err)
	}
	for _, f := range ckpt.Files() {
		if _, err := fsio.Link(ctx, f.Path, filepath.Join(own.Dir, filepath.Base(f.Path)), nil); err != nil {
			own.Remove()
			return nil, fmt.Errorf("eval: temporary graph: %w", err)
		}
	}
	return own, nil
}

func linkInto(ckpt store.Store, base string) (*fsio.Temporary, error) {
	own, err := fsio.NewTemporary(base, "eval")
	if err != nil {
		return nil, err
	}
	for _, f := range ckpt.Files() {
		real, err := filepath.EvalSymlinks(f.Path)
		if err == nil {
			err = os.Link(real, filepath.Join(own.Dir, filepath.Base(f.Path)))
		}
		if err != nil {
			own.Remove()
			return nil, err
		}
	}
	return own, nil
}
