package torchfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/convert/safetensors"
)

// indexFile is the index of a checkpoint in several files.
const indexFile = "model.safetensors.index.json"

const configFile = "config.json"

// Options are of an import; the zero value writes one file.
type Options struct {
	// MaxShard bounds the tensor data of one file, in bytes; 0 is no bound.
	MaxShard int64
	// Beside, where set, says which other files of the source's folder come
	// along, by their names; config.json always does.
	Beside func(name string) bool
	// Progress, where set, is called after each tensor with the bytes written.
	Progress func(done, total int64)
}

// Result says what an import wrote.
type Result struct {
	// Files are the names of the files written, tensors first.
	Files []string
	// Tensors is their number, Bytes what their data takes.
	Tensors int
	Bytes   int64
}

// Import writes the tensors of a PyTorch checkpoint as safetensors into a
// folder, which is made where it is not there: model.safetensors, or shards with
// their index. name is a .pt or .bin file, a *.bin.index.json, or a folder that
// holds pytorch_model.bin or its index. Names, types, shapes and bits stay; of
// tensors that share a storage each gets its own data. A config.json beside the
// source, and what Options.Beside names, is copied where the folder has none.
//
// Nothing in the folder is replaced: a file of that name there is an error, unless it
// holds the same bytes, as a killed import leaves it. All is written elsewhere first, and
// what was written is removed where the import fails, folders that it made too.
func Import(ctx context.Context, name, folder string, opts Options) (result *Result, err error) {
	paths, err := locate(name)
	if err != nil {
		return nil, err
	}
	in := &importer{of: map[string]*File{}, entries: map[string]entry{}, opts: opts}
	defer in.close()
	if err := in.open(paths); err != nil {
		return nil, err
	}
	plan, err := safetensors.PlanShards(in.infos, in.opts.MaxShard)
	if err != nil {
		return nil, err
	}
	for _, s := range plan { // known before minutes of work
		if info, err := os.Stat(filepath.Join(folder, s.File)); err == nil && info.Size() < s.Bytes {
			return nil, fmt.Errorf("torchfile: %w", &fs.PathError{Op: "write", Path: filepath.Join(folder, s.File), Err: fs.ErrExist})
		}
	}
	all, err := fsio.Collect(folder)
	if err != nil {
		return nil, fmt.Errorf("torchfile: %w", err)
	}
	defer all.Discard()
	in.folder, in.dir = folder, all.Dir
	if err := in.run(ctx, plan, filepath.Dir(paths[0])); err != nil {
		return nil, err
	}
	if err := all.Deliver(in.order(len(plan))); err != nil {
		return nil, fmt.Errorf("torchfile: %w", err)
	}
	return &in.result, nil
}

// order is that in which the files are to appear: a folder can be read with the index and
// config.json, or where it has one already, with the tensors.
func (in *importer) order(shards int) []string {
	files := in.result.Files
	list := slices.Clone(files[shards:])
	list = slices.DeleteFunc(list, func(n string) bool { return n == indexFile || n == configFile })
	list = append(list, files[:shards]...)
	for _, last := range []string{indexFile, configFile} {
		if slices.Contains(files, last) {
			list = append(list, last)
		}
	}
	return list
}

// run writes everything into in.dir.
func (in *importer) run(ctx context.Context, plan []safetensors.Shard, source string) error {
	for _, s := range plan {
		in.result.Bytes += s.Bytes
	}
	in.result.Tensors = len(in.infos)
	for _, s := range plan {
		if err := in.write(ctx, s); err != nil {
			return err
		}
		in.result.Files = append(in.result.Files, s.File)
	}
	if len(plan) > 1 {
		if err := safetensors.WriteIndex(filepath.Join(in.dir, indexFile), plan); err != nil {
			return err
		}
		in.result.Files = append(in.result.Files, indexFile)
	}
	return in.beside(source)
}

// importer is one import under way.
type importer struct {
	opts    Options
	files   []*File
	infos   []safetensors.Info
	of      map[string]*File
	entries map[string]entry
	dir     string // where everything is written, for folder
	folder  string
	done    int64
	result  Result
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

func (in *importer) write(ctx context.Context, s safetensors.Shard) error {
	w, err := safetensors.Create(filepath.Join(in.dir, s.File), s.Infos, map[string]string{"format": "pt"})
	if err != nil {
		return err
	}
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
		in.opts.Progress(in.done, in.result.Bytes)
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

// beside copies config.json and the other files wanted where the target has none
// of that name.
func (in *importer) beside(from string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return fmt.Errorf("torchfile: %w", err)
	}
	for _, e := range entries {
		name := e.Name()
		if name != configFile && (in.opts.Beside == nil || !in.opts.Beside(name)) {
			continue
		}
		if _, err := os.Lstat(filepath.Join(in.folder, name)); err == nil {
			continue
		}
		copied, err := copyNew(filepath.Join(from, name), filepath.Join(in.dir, name))
		if err != nil {
			return fmt.Errorf("torchfile: %w", err)
		}
		if copied {
			in.result.Files = append(in.result.Files, name)
		}
	}
	return nil
}

// copyNew copies a regular file to a name that nothing has; made says whether
// the file is there because of it.
func copyNew(from, to string) (made bool, err error) {
	info, err := os.Stat(from)
	if err != nil || !info.Mode().IsRegular() {
		return false, err
	}
	src, err := os.Open(from)
	if err != nil {
		return false, err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, err = io.Copy(dst, src)
	if closing := dst.Close(); err == nil {
		err = closing
	}
	return true, err
}
