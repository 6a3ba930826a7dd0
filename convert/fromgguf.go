package convert

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/gguf/arch"
	"github.com/pecvt/pecvt/convert/gguf/unpack"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/posenc/hint"
)

// openSource opens a model for a result of a format: a GGUF file that becomes a folder
// keeps its blocks as they are.
func openSource(ctx context.Context, path, format string) (store.Store, error) {
	src, err := store.OpenContext(ctx, path)
	if err != nil {
		return nil, err
	}
	if m, ok := src.(*arch.Model); ok && format == Safetensors {
		s, err := blocksOf(m)
		if err != nil {
			src.Close()
			return nil, err
		}
		return s, nil
	}
	return src, nil
}

func blocksOf(m *arch.Model) (store.Store, error) {
	b, err := unpack.OpenBlocks(m)
	if err != nil {
		return nil, err
	}
	return store.Decoded(b)
}

// planSmall takes what lies beside the tensors from a GGUF file that becomes a folder.
func (p *Plan) planSmall(src store.Store, m *family.Model) error {
	b, ok := store.Stored(src).(*unpack.Blocks)
	if !ok {
		return nil
	}
	p.beside = b.Beside()
	if b.NoTokenizer != nil {
		p.Warnings = append(p.Warnings, hint.Errorf("the file's tokenizer is left out: %w", b.NoTokenizer).Error())
	}
	if m.Quantised == nil {
		return nil
	}
	p.Notes = append(p.Notes, "the folder holds the blocks of the GGUF file as they are, none rounded anew, for pecvt and the graphs that it makes; other programs read it after `pecvt import`, which writes floats")
	return nil
}

// planBeside adds the files that planSmall took.
func (p *Plan) planBeside() {
	for _, name := range slices.Sorted(maps.Keys(p.beside)) {
		if name != "config.json" {
			p.Files = append(p.Files, FilePlan{Name: name, Action: Write, Bytes: int64(len(p.beside[name]))})
		}
	}
}

// small reads one of the source's small files.
func (p *Plan) small(name string) ([]byte, error) {
	if p.beside == nil {
		return p.folder.ReadFile(name)
	}
	if text, ok := p.beside[name]; ok {
		return text, nil
	}
	return nil, fmt.Errorf("%s: %w", name, os.ErrNotExist)
}
