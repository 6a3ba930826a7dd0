package unpack

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"

	"github.com/pecvt/pecvt/convert/gguf/arch"
	"github.com/pecvt/pecvt/convert/gguf/vocab"
	"github.com/pecvt/pecvt/convert/quant"
	"github.com/pecvt/pecvt/convert/tensor"
)

// Blocks is a GGUF file as the folder of safetensors that holds its blocks as they are,
// none rounded anew: a tensor of blocks is bytes, under a name that ends in its type
// (quant.GGUFKey), and config.json declares them (quant.GGUFMethod). Other tensors are
// the file's. It is a store of tensors; its methods may be used from several
// goroutines, Close excepted.
type Blocks struct {
	*arch.Model
	names []string
	of    map[string]string // the names in Model
	files map[string][]byte // config.json and the tokenizer's
	// NoTokenizer says why there are no files of a tokenizer, nil where there are, or
	// the file has none.
	NoTokenizer error
}

// OpenBlocks looks at a file so; m is the caller's to close.
func OpenBlocks(m *arch.Model) (*Blocks, error) {
	b := &Blocks{Model: m, of: map[string]string{}}
	coded := false
	for _, name := range m.Names() {
		info, _ := m.Lookup(name)
		to := name
		if info.DType.IsBlock() {
			to, coded = name+quant.GGUFKey(info.DType), true
		}
		if b.of[to] != "" {
			return nil, fmt.Errorf("gguf: %s: tensors %q and %q are both %q in a folder", m.File().Path, b.of[to], name, to)
		}
		b.of[to] = name
	}
	b.names = slices.Sorted(maps.Keys(b.of))
	if b.files, b.NoTokenizer = vocab.Restore(m.File().Header); b.files == nil {
		b.files = map[string][]byte{}
	}
	config, err := withDType(m.Config, b.sizes())
	if err == nil && coded {
		config, err = declared(config)
	}
	b.files[configFile] = config
	return b, err
}

// sizes are the bytes of each type that are no blocks.
func (b *Blocks) sizes() map[tensor.DType]int64 {
	sizes := map[tensor.DType]int64{}
	for _, name := range b.names {
		if info, _ := b.Lookup(name); info.DType.IsFloat() {
			sizes[info.DType] += info.Bytes()
		}
	}
	return sizes
}

// declared adds what declares the blocks.
func declared(config []byte) ([]byte, error) {
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(config, &fields); err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	fields["quantization_config"] = json.RawMessage(`{"quant_method": "` + quant.GGUFMethod + `"}`)
	text, err := json.MarshalIndent(fields, "", "  ")
	return append(text, '\n'), err
}

// Beside are the small files: config.json, and those of the tokenizer.
func (b *Blocks) Beside() map[string][]byte { return b.files }

// FS gives them.
func (b *Blocks) FS() fs.FS { return arch.Folder(b.files) }

// Names lists the tensors, sorted.
func (b *Blocks) Names() []string { return b.names }

// Lookup finds a tensor; one of blocks is bytes.
func (b *Blocks) Lookup(name string) (tensor.Info, bool) {
	info, ok := b.Model.Lookup(b.of[name])
	if info.Name = name; ok && info.DType.IsBlock() {
		elements, bytes := info.DType.Unit()
		info.Shape = slices.Clone(info.Shape)
		last := len(info.Shape) - 1
		info.DType, info.Shape[last] = tensor.U8, info.Shape[last]/int64(elements)*int64(bytes)
	}
	return info, ok
}

// Place says where a tensor's bytes lie.
func (b *Blocks) Place(name string) (tensor.Place, bool) { return b.Model.Place(b.of[name]) }

// Files describes the file.
func (b *Blocks) Files() []tensor.File {
	files := b.Model.Files()
	for i := range files {
		files[i].Tensors = b.names // in whatever order of rows
	}
	return files
}

// Read gives bytes of a tensor.
func (b *Blocks) Read(name string, begin, end int64) ([]byte, error) {
	return b.Model.Read(b.of[name], begin, end)
}

// Section reads a tensor's data.
func (b *Blocks) Section(name string) (*io.SectionReader, error) { return b.Model.Section(b.of[name]) }

// Walk gives it piece by piece.
func (b *Blocks) Walk(name string, visit func(offset int64, piece []byte) error) error {
	return b.Model.Walk(b.of[name], visit)
}

// Release gives mapped pages back.
func (b *Blocks) Release(name string) { b.Model.Release(b.of[name]) }
