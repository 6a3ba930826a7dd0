package convert

import (
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/gguf"
	"github.com/pecvt/pecvt/convert/place"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// The formats that a conversion writes: a folder of safetensors files, and one
// GGUF file.
const (
	Safetensors = safetensors.Format
	GGUF        = gguf.Format
)

// Formats lists them.
func Formats() []string { return []string{Safetensors, GGUF} }

// ggufTypes are the values of Options.GGUFType.
var ggufTypes = map[string]gguf.Type{"f32": gguf.F32, "f16": gguf.F16, "bf16": gguf.BF16, "q8_0": gguf.Q8_0}

// GGUFTypes lists them.
func GGUFTypes() []string { return []string{"f32", "f16", "bf16", "q8_0"} }

const ggufSuffix = ".gguf"

// namesGGUF reports whether a file of that name is read as a GGUF file.
func namesGGUF(name string) bool { return strings.HasSuffix(strings.ToLower(name), ggufSuffix) }

// decideFormat fills in the format that is not said; from is the source's, name the
// target's.
func (o *Options) decideFormat(from, name string) error {
	named := o.Output != "" && namesGGUF(name)
	if o.Format == "" {
		o.Format = Safetensors
		if named || o.Output == "" && from == gguf.Format {
			o.Format = GGUF
		}
	}
	bad := func(format string, args ...any) error {
		return hint.Errorf("%w: %w", rewrite.ErrOptions, hint.Errorf(format, args...))
	}
	switch {
	case !slices.Contains(Formats(), o.Format):
		return bad(hint.Format+" %q%s", o.Format, posenc.Suggest(o.Format, Formats()))
	case o.Format != GGUF && named:
		return bad("target %s: a folder is written in the format %s: choose another name, or "+hint.Format+" %s", o.Output, o.Format, GGUF)
	case o.Format != GGUF && o.GGUFType != "":
		return bad(hint.GGUFType+" %s is of no meaning in the format %s", o.GGUFType, o.Format)
	case o.GGUFType != "" && !slices.Contains(GGUFTypes(), o.GGUFType):
		return bad(hint.GGUFType+" %q%s", o.GGUFType, posenc.Suggest(o.GGUFType, GGUFTypes()))
	case o.GGUFType != "" && from == gguf.Format:
		return bad(hint.GGUFType+" %s: a GGUF file made from one keeps the types of its tensors; quantise the result with llama-quantize of llama.cpp", o.GGUFType)
	case o.Format == GGUF && o.MaxShardSize > 0:
		return bad(hint.MaxShardSize + " is of no meaning for one GGUF file; split it with llama-gguf-split of llama.cpp")
	}
	return nil
}

// readable refuses a target elsewhere that nobody could read by its URL, of which the end
// alone says whether a file or a folder lies there.
func (o *Options) readable(to place.Place) error {
	_, local := to.Local()
	switch file := place.IsFile(to.Base()); {
	case local:
	case o.Format == GGUF && !namesGGUF(to.Base()):
		return hint.Errorf("%w: target %s: one file is written in the format %s, and a URL of one ends in %s: name it so", rewrite.ErrOptions, o.Output, o.Format, ggufSuffix)
	case o.Format != GGUF && file:
		return hint.Errorf("%w: target %s: a folder is written in the format %s, and a URL that ends so is read as that of a file: choose another name", rewrite.ErrOptions, o.Output, o.Format)
	}
	return nil
}

// formatOf is the format of a store's files.
func formatOf(src store.Store) string {
	for _, f := range src.Files() {
		return f.Format
	}
	return ""
}

// planFile plans a result of one GGUF file.
func (p *Plan) planFile(src store.Store, m *family.Model) error {
	// who reads the configuration of a folder does not read this one
	p.Encoding.Readers, p.Encoding.Loaders = nil, "llama.cpp and what is built on it"
	p.say()
	if formatOf(src) == gguf.Format {
		return p.planRespelling(src, m)
	}
	return p.planGGUF(src, m)
}
