// Package unpack writes a GGUF file as the folder that Hugging Face's loaders read:
// safetensors with the family's names and order of rows, config.json, and the
// files of the tokenizer.
package unpack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/convert/gguf/arch"
	"github.com/pecvt/pecvt/convert/gguf/vocab"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// Options are of an import; the zero value writes one file in types that lose
// nothing.
type Options struct {
	// DType is the type of the tensors: "float32", "bfloat16" or "float16", each
	// number rounded once, or "auto": F32, F16 and BF16 as they are, and blocks as
	// float32, since a product of a binary16 scale and a code, and even more a sum of
	// two, has more digits than the 16-bit types hold.
	DType string
	// MaxShard bounds the tensor data of one file, in bytes; 0 is no bound.
	MaxShard int64
	// NoTokenizer leaves the tokenizer out.
	NoTokenizer bool
	// Progress, where set, is called after each tensor with the bytes written.
	Progress func(done, total int64)
}

// dtypes are the values of Options.DType but "auto".
var dtypes = map[string]tensor.DType{"float32": tensor.F32, "bfloat16": tensor.BF16, "float16": tensor.F16}

// DTypes lists the values of Options.DType.
func DTypes() []string { return []string{"auto", "float32", "bfloat16", "float16"} }

// Result says what an import wrote.
type Result struct {
	// Files are the names of the files written, tensors first.
	Files []string
	// Tensors is their number, Bytes what their data takes.
	Tensors int
	Bytes   int64
}

const (
	indexFile  = "model.safetensors.index.json"
	configFile = "config.json"
)

// Import writes a GGUF file into a folder, which is made where it is not there.
// Nothing in the folder is replaced: a file of that name there is an error, unless it
// holds the same bytes, as a killed import leaves it. All is written elsewhere first, and
// what was written is removed where the import fails, folders that it made too.
func Import(ctx context.Context, path, folder string, opts Options) (*Result, error) {
	if opts.DType == "" {
		opts.DType = "auto"
	}
	if !slices.Contains(DTypes(), opts.DType) {
		return nil, hint.Errorf("%s %q%s", hint.ImportDType, opts.DType, posenc.Suggest(opts.DType, DTypes()))
	}
	m, err := arch.Open(path)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	in := &importer{model: m, opts: opts}
	if err := in.plan(); err != nil {
		return nil, hint.Errorf("gguf: %s: %w", path, err)
	}
	if err := in.free(folder); err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	all, err := fsio.Collect(folder)
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	defer all.Discard()
	in.folder = all.Dir
	if err := in.run(ctx); err != nil {
		return nil, err
	}
	if err := all.Deliver(in.order()); err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	return &in.result, nil
}

// free says before minutes of work what Deliver would: that a file is there.
func (in *importer) free(folder string) error {
	taken := func(name string) error {
		return &fs.PathError{Op: "write", Path: filepath.Join(folder, name), Err: fs.ErrExist}
	}
	for _, s := range in.shards {
		if info, err := os.Stat(filepath.Join(folder, s.File)); err == nil && info.Size() < s.Bytes {
			return taken(s.File)
		}
	}
	for _, f := range in.beside {
		if text, err := os.ReadFile(filepath.Join(folder, f.name)); err == nil && !bytes.Equal(text, f.data) {
			return taken(f.name)
		}
	}
	return nil
}

// order is that in which the files are to appear: a folder can be read with the index and
// config.json, or where it has one already, with the tensors.
func (in *importer) order() (list []string) {
	for _, f := range in.beside {
		if f.name != configFile {
			list = append(list, f.name)
		}
	}
	for _, s := range in.shards {
		list = append(list, s.File)
	}
	if len(in.shards) > 1 {
		list = append(list, indexFile)
	}
	return append(list, configFile)
}

type importer struct {
	model  *arch.Model
	opts   Options
	folder string // where everything is written
	shards []safetensors.Shard
	beside []file
	done   int64
	result Result
}

// file is a small file of the result.
type file struct {
	name string
	data []byte
}

// plan makes everything that is small before anything is written.
func (in *importer) plan() error {
	var infos []safetensors.Info
	sizes := map[tensor.DType]int64{}
	for _, name := range in.model.Names() {
		stored, _ := in.model.Lookup(name)
		d := in.target(stored.DType)
		info := safetensors.Info{Name: name, DType: d, Shape: stored.Shape}
		infos = append(infos, info)
		n, err := tensor.ByteSize(d, stored.Shape)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		sizes[d] += n
		in.result.Bytes += n
	}
	in.result.Tensors = len(infos)
	var err error
	if in.shards, err = safetensors.PlanShards(infos, in.opts.MaxShard); err != nil {
		return err
	}
	config, err := withDType(in.model.Config, sizes)
	if err != nil {
		return err
	}
	in.beside = append(in.beside, file{configFile, config})
	if in.opts.NoTokenizer {
		return nil
	}
	files, err := vocab.Restore(in.model.File().Header)
	if err != nil {
		return hint.Errorf("%w; %s leaves it out", err, hint.NoTokenizer)
	}
	for _, name := range slices.Sorted(keys(files)) {
		in.beside = append(in.beside, file{name, files[name]})
	}
	return nil
}

func keys(files map[string][]byte) func(func(string) bool) {
	return func(yield func(string) bool) {
		for name := range files {
			if !yield(name) {
				return
			}
		}
	}
}

// target is the type that a stored one is written in.
func (in *importer) target(d tensor.DType) tensor.DType {
	if to, ok := dtypes[in.opts.DType]; ok && d.IsFloat() {
		return to
	}
	if d.IsBlock() {
		return tensor.F32
	}
	return d
}

// withDType puts the type of most of the data into config.json.
func withDType(config []byte, sizes map[tensor.DType]int64) ([]byte, error) {
	var most string
	var size int64
	for _, name := range DTypes()[1:] {
		if n := sizes[dtypes[name]]; n > size {
			most, size = name, n
		}
	}
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(config, &fields); err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	if most != "" {
		fields["torch_dtype"] = json.RawMessage(`"` + most + `"`)
	}
	text, err := json.MarshalIndent(fields, "", "  ")
	return append(text, '\n'), err
}

// run writes everything.
func (in *importer) run(ctx context.Context) error {
	for _, s := range in.shards {
		if err := in.write(ctx, s); err != nil {
			return err
		}
	}
	if len(in.shards) > 1 {
		if err := safetensors.WriteIndex(filepath.Join(in.folder, indexFile), in.shards); err != nil {
			return err
		}
		in.result.Files = append(in.result.Files, indexFile)
	}
	for _, f := range in.beside {
		if err := in.create(f); err != nil {
			return fmt.Errorf("gguf: %w", err)
		}
	}
	return nil
}

func (in *importer) create(f file) error {
	out, err := os.OpenFile(filepath.Join(in.folder, f.name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	in.result.Files = append(in.result.Files, f.name)
	_, err = out.Write(f.data)
	return errors.Join(err, out.Close())
}

func (in *importer) write(ctx context.Context, s safetensors.Shard) error {
	w, err := safetensors.Create(filepath.Join(in.folder, s.File), s.Infos, map[string]string{"format": "pt"})
	if err != nil {
		return err
	}
	in.result.Files = append(in.result.Files, s.File)
	for _, info := range s.Infos {
		if err := in.tensor(ctx, w, info); err != nil {
			w.Close() // the first error is the one to tell
			return err
		}
		in.done += info.Bytes()
		if in.opts.Progress != nil {
			in.opts.Progress(in.done, in.result.Bytes)
		}
	}
	return w.Close()
}

// Opens reports whether a path is a GGUF file's.
func Opens(path string) bool { return strings.HasSuffix(strings.ToLower(path), ".gguf") }
