package torchfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pecvt/pecvt/convert/safetensors"
)

// indexFile is the index of a checkpoint in several files.
const indexFile = "model.safetensors.index.json"

// Options are of an import; the zero value writes one file.
type Options struct {
	// MaxShard bounds the tensor data of one file, in bytes; 0 is no bound.
	MaxShard int64
	// Progress, where set, is called after each tensor with the bytes written.
	Progress func(done, total int64)
}

// Import writes the tensors of a PyTorch checkpoint as safetensors into a
// folder, which is made where it is not there: model.safetensors, or shards with
// their index. name is a .pt or .bin file, a *.bin.index.json, or a folder that
// holds pytorch_model.bin or its index. Names, types, shapes and bits stay; of
// tensors that share a storage each gets its own data. A config.json beside the
// source is copied where the folder has none.
//
// Nothing in the folder is replaced: a file of that name there is an error. What
// was written is removed where the import fails.
func Import(ctx context.Context, name, folder string, opts Options) (err error) {
	paths, err := locate(name)
	if err != nil {
		return err
	}
	in := &importer{of: map[string]*File{}, entries: map[string]entry{}, opts: opts}
	defer in.close()
	if err := in.open(paths); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return fmt.Errorf("torchfile: %w", err)
	}
	defer func() {
		for _, path := range in.made {
			if err != nil {
				os.Remove(path)
			}
		}
	}()
	plan, err := safetensors.PlanShards(in.infos, opts.MaxShard)
	if err != nil {
		return err
	}
	for _, s := range plan {
		in.total += s.Bytes
	}
	for _, s := range plan {
		if err := in.write(ctx, s, filepath.Join(folder, s.File)); err != nil {
			return err
		}
	}
	if len(plan) > 1 {
		path := filepath.Join(folder, indexFile)
		if err := safetensors.WriteIndex(path, plan); err != nil {
			return err
		}
		in.made = append(in.made, path)
	}
	return in.config(filepath.Dir(paths[0]), folder)
}

// importer is one import under way.
type importer struct {
	opts        Options
	files       []*File
	infos       []safetensors.Info
	of          map[string]*File
	entries     map[string]entry
	made        []string
	done, total int64
}

func (in *importer) close() {
	for _, f := range in.files {
		f.Close()
	}
}

func (in *importer) open(paths []string) error {
	for _, path := range paths {
		f, err := Open(path)
		if err != nil {
			return err
		}
		in.files = append(in.files, f)
		in.infos = append(in.infos, f.Tensors()...)
		for _, e := range f.entries {
			if other := in.of[e.name]; other != nil {
				return fmt.Errorf("torchfile: %s: tensor %q is also in %s", path, clip(e.name), other.Path)
			}
			in.of[e.name], in.entries[e.name] = f, e
		}
	}
	return nil
}

func (in *importer) write(ctx context.Context, s safetensors.Shard, path string) error {
	w, err := safetensors.Create(path, s.Infos, map[string]string{"format": "pt"})
	if err != nil {
		return err
	}
	in.made = append(in.made, path)
	for _, info := range s.Infos {
		if err := in.copy(ctx, w, info); err != nil {
			w.Close() // the first error is the one to tell
			return err
		}
	}
	return w.Close()
}

func (in *importer) copy(ctx context.Context, w *safetensors.Writer, info safetensors.Info) error {
	r, err := in.of[info.Name].reader(in.entries[info.Name])
	if err != nil {
		return err
	}
	if err := w.WriteTensorFrom(info.Name, stoppable{ctx, r}); err != nil {
		return err
	}
	in.done += info.Bytes()
	if in.opts.Progress != nil {
		in.opts.Progress(in.done, in.total)
	}
	return nil
}

// stoppable ends a copy with its context.
type stoppable struct {
	ctx context.Context
	r   io.Reader
}

func (s stoppable) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(p)
}

// config copies config.json where the target has none.
func (in *importer) config(from, to string) error {
	text, err := os.ReadFile(filepath.Join(from, "config.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("torchfile: %w", err)
	}
	path := filepath.Join(to, "config.json")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("torchfile: %w", err)
	}
	in.made = append(in.made, path)
	_, err = f.Write(text)
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return fmt.Errorf("torchfile: %w", err)
	}
	return nil
}
