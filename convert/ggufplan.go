package convert

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/gguf"
	"github.com/pecvt/pecvt/convert/gguf/arch"
	"github.com/pecvt/pecvt/convert/gguf/rope"
	"github.com/pecvt/pecvt/convert/gguf/vocab"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// planGGUF plans a GGUF file of a model that is stored in another format: the
// result's model in the names, the order of rows and the keys of llama.cpp's
// architecture.
func (p *Plan) planGGUF(src store.Store, source *family.Model) error {
	o, m, err := p.resultModel(src, source)
	if err != nil {
		return err
	}
	row, err := arch.OfFamily(m.ModelType)
	if err != nil {
		return hint.Errorf("%w; "+hint.Format+" %s writes it", err, Safetensors)
	}
	if err := windowless(m, row); err != nil {
		return err
	}
	g := &ggufFile{h: &gguf.Header{Version: 3}}
	b := &ggufBuilder{plan: p, o: o, m: m, row: row, file: g, to: p.ggufType(m)}
	wanted, err := p.wanted(m)
	if err != nil {
		return err
	}
	said, err := rope.Say(row, wanted)
	if err != nil {
		return hint.Errorf(hint.To+" %s: %w", p.rewrite.To, err)
	}
	if err := b.tensors(said); err != nil {
		return err
	}
	if err := b.metadata(said); err != nil {
		return err
	}
	return p.closeGGUF(g)
}

// wanted is the rotation that the result's model declares.
func (p *Plan) wanted(m *family.Model) (w rope.Wanted, err error) {
	w.Params, w.TrainLength = m.Rope, p.rewrite.TrainLength
	if w.Spectrum, err = m.Rope.Spectrum(m.TrainedLength); err != nil {
		return w, err
	}
	long, err := m.Rope.Spectrum(max(m.MaxPositions, m.TrainedLength) + 1)
	if err != nil {
		return w, err
	}
	if !slices.Equal(long.InvFreq, w.Spectrum.InvFreq) || long.Gain != w.Spectrum.Gain {
		w.Long = &long
	}
	return w, nil
}

// resultModel is the model that a plan's result is, where a GGUF file can say its
// encoding.
func (p *Plan) resultModel(src store.Store, source *family.Model) (*outcome, *family.Model, error) {
	r := p.rewrite
	if r.Spelling == family.BlockKey {
		block, err := r.Config.Object(family.BlockKey)
		if err != nil {
			return nil, nil, err
		}
		if block.Has(family.QueryScaleKey) {
			return nil, nil, hint.Errorf(hint.To+" %s: queries scaled by position, as the block %q says them, are %w by llama.cpp's graph of this family; a folder of safetensors files can hold it", r.To, family.BlockKey, posenc.ErrUnsupported)
		}
	}
	if r.Spelling == family.BlockKey || len(r.Added) > 0 || source.Extension != nil && !r.ConfigChanged {
		return nil, nil, hint.Errorf(hint.To+" %s: %w by llama.cpp, whose graphs know one spectrum for all heads, in factors per plane, and of biases the slopes of ALiBi; a folder of safetensors files can hold it", r.To, posenc.ErrUnsupported)
	}
	o, err := newOutcome(src, r)
	if err != nil {
		return nil, nil, err
	}
	m, err := o.model(p.options.IgnoreKeys)
	if err != nil {
		return nil, nil, err
	}
	if m.Rope.Type == "" {
		return nil, nil, fmt.Errorf("family %s without a rotation: writing GGUF files of it is %w; llama.cpp's own converter does", m.Family, posenc.ErrUnsupported)
	}
	return o, m, nil
}

// windowless refuses a window: no graph of these architectures has one.
func windowless(m *family.Model, row arch.Arch) error {
	for i, a := range m.Attentions() {
		if a.Window != 0 {
			return fmt.Errorf("layer %d attends to a window of %d positions, which llama.cpp's graph of architecture %s leaves out: %w; where full attention is meant, set sliding_window to null in config.json", i, a.Window, row.Name, posenc.ErrUnsupported)
		}
	}
	return nil
}

// ggufType is the type of matrices.
func (p *Plan) ggufType(m *family.Model) gguf.Type {
	if t, ok := ggufTypes[p.options.GGUFType]; ok {
		return t
	}
	switch m.DType {
	case tensor.F16:
		return gguf.F16
	case tensor.F32, tensor.F64:
		return gguf.F32
	}
	return gguf.BF16
}

// ggufBuilder puts a GGUF file together.
type ggufBuilder struct {
	plan *Plan
	o    *outcome
	m    *family.Model
	row  arch.Arch
	file *ggufFile
	to   gguf.Type // of matrices
}

// sizes are what the order of rows depends on.
func (b *ggufBuilder) sizes() arch.Sizes {
	for _, a := range b.m.Attentions() {
		return arch.Sizes{Heads: int64(a.Heads), KVHeads: int64(a.KVHeads), HeadDim: int64(a.QKDim)}
	}
	return arch.Sizes{}
}

// tensors lists the file's tensors, in the order of a forward pass.
func (b *ggufBuilder) tensors(said rope.Saying) error {
	seen := map[string]bool{}
	for _, part := range b.m.Parts() {
		for _, w := range part.Weights {
			if seen[w.Tensor] {
				continue
			}
			seen[w.Tensor] = true
			if err := b.tensor(w.Tensor, part.Kind == family.KindNorm); err != nil {
				return err
			}
		}
	}
	for _, t := range []struct {
		name   string
		values []float32
	}{{arch.FreqTensor, said.Freqs}, {arch.LongTensor, said.Long}, {arch.ShortTensor, said.Short}} {
		if t.values != nil {
			b.add(gguf.Tensor{Name: t.name, Type: gguf.F32, Dims: []int64{int64(len(t.values))}}, ggufSource{values: t.values})
		}
	}
	_, err := b.file.h.Arrange()
	return err
}

func (b *ggufBuilder) add(t gguf.Tensor, s ggufSource) {
	b.file.h.Tensors = append(b.file.h.Tensors, t)
	b.file.sources = append(b.file.sources, s)
}

// tensor adds one of the model's tensors.
func (b *ggufBuilder) tensor(name string, norm bool) error {
	info, ok := b.o.Lookup(name)
	if !ok {
		return store.Missing(b.o, name)
	}
	to, order, ok := b.row.InGGUF(b.m.StockName(name))
	if !ok {
		return fmt.Errorf("tensor %q: llama.cpp's architecture %s has no such tensor: %w; write safetensors of it", name, b.row.Name, posenc.ErrUnsupported)
	}
	t := gguf.Tensor{Name: to, Type: b.to, Dims: slices.Clone(info.Shape)}
	slices.Reverse(t.Dims)
	if norm || len(t.Dims) < 2 {
		t.Type = gguf.F32
	}
	if elements, _ := t.Type.Unit(); len(t.Dims) > 0 && t.Dims[0]%int64(elements) != 0 {
		t.Type = gguf.F16 // as llama.cpp's converter: rows are no whole blocks
		b.plan.noteOnce(fmt.Sprintf("tensors whose rows are no whole blocks of %s, such as %s with %d, are %s", b.to, to, t.Dims[0], t.Type))
	}
	pieces, err := b.ordered(name, order)
	if err != nil {
		return fmt.Errorf("tensor %q: %w", name, err)
	}
	b.add(t, ggufSource{pieces: pieces, dtype: info.DType})
	return nil
}

// ordered are the source's rows of a tensor, in the order of the file.
func (b *ggufBuilder) ordered(name string, order arch.Order) ([]rewrite.Piece, error) {
	pieces := b.o.rows(name)
	if order == arch.AsIs {
		return pieces, nil
	}
	return reorder(pieces, order, b.sizes())
}

// reorder puts rows where an order has them.
func reorder(pieces []rewrite.Piece, order arch.Order, sizes arch.Sizes) ([]rewrite.Piece, error) {
	var single []rewrite.Piece
	for _, p := range pieces {
		for row := p.Rows.Begin; row < p.Rows.End; row++ {
			one := p
			one.Rows = family.Range{Begin: row, End: row + 1}
			single = append(single, one)
		}
	}
	if err := order.Check(sizes, int64(len(single))); err != nil {
		return nil, err
	}
	out := make([]rewrite.Piece, len(single))
	for i, p := range single {
		out[order.Row(sizes, int64(i))] = p
	}
	return rewrite.Join(out), nil
}

// noteOnce adds a note that is not there yet.
func (p *Plan) noteOnce(text string) {
	if !slices.Contains(p.Notes, text) {
		p.Notes = append(p.Notes, text)
	}
}

// fileTypes are llama.cpp's numbers of what most of a file is (general.file_type).
var fileTypes = map[gguf.Type]uint32{gguf.F32: 0, gguf.F16: 1, gguf.Q8_0: 7, gguf.BF16: 32}

// metadata says what the model is.
func (b *ggufBuilder) metadata(said rope.Saying) error {
	h, m := b.file.h, b.m
	var parameters int64
	for _, t := range h.Tensors {
		n, err := tensor.Elements(t.Dims)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		parameters += n
	}
	h.KVs = []gguf.KV{gguf.NewText("general.architecture", b.row.Name), gguf.NewText("general.type", "model"),
		gguf.NewText("general.name", b.plan.source.Name), gguf.NewText("general.size_label", sizeLabel(parameters))}
	for _, k := range b.row.Keys {
		kv, err := b.value(b.row.Name + "." + k.GGUF)
		if err != nil {
			return err
		}
		h.KVs = append(h.KVs, kv)
	}
	a := b.sizes()
	key := func(name string, n int64) { h.KVs = append(h.KVs, gguf.NewUint32(b.row.Name+"."+name, uint32(n))) }
	key("attention.key_length", a.HeadDim)
	key("attention.value_length", a.HeadDim)
	key("vocab_size", int64(m.Vocab))
	if b.row.Name == "phi3" {
		key("attention.sliding_window", 0) // by which llama.cpp's own files say that there is none
	}
	if err := said.Apply(h, b.row.Name); err != nil {
		return err
	}
	const trained = "original_max_position_embeddings"
	if n, ok, err := m.Config.Int(trained); err == nil && ok && n > 0 && b.row.LongFactors && !b.row.FreqFactors && said.OriginalLength == 0 {
		key("rope.scaling.original_context_length", int64(n)) // phi3's own, whether anything is scaled or not
	}
	h.KVs = append(h.KVs, gguf.NewUint32("general.file_type", fileTypes[b.to]), gguf.NewUint32("general.quantization_version", 2))
	// llama.cpp's converter: the SmolLM and Granite tokenizers put no token first
	kvs, note, err := vocab.Write(b.o.FS(), m.Vocab, b.row.Name == "llama" && m.Vocab == 49152)
	if err != nil {
		return err
	}
	if note != "" {
		b.plan.noteOnce(note)
	}
	h.KVs = append(h.KVs, kvs...)
	return nil
}

// value gives the value of a key of the architecture.
func (b *ggufBuilder) value(key string) (gguf.KV, error) {
	m := b.m
	block, a := &m.Blocks[0], b.sizes()
	_, name, _ := strings.Cut(key, ".")
	switch name {
	case "context_length":
		return gguf.NewUint32(key, uint32(m.MaxPositions)), nil
	case "embedding_length":
		return gguf.NewUint32(key, uint32(m.Hidden)), nil
	case "block_count":
		return gguf.NewUint32(key, uint32(len(m.Blocks))), nil
	case "feed_forward_length":
		if mlp := block.MLP(); mlp != nil {
			return gguf.NewUint32(key, uint32(mlp.Down.Weight.Shape[1])), nil
		}
	case "attention.head_count":
		return gguf.NewUint32(key, uint32(a.Heads)), nil
	case "attention.head_count_kv":
		return gguf.NewUint32(key, uint32(a.KVHeads)), nil
	case "attention.layer_norm_rms_epsilon", "attention.layer_norm_epsilon":
		return gguf.NewFloat32(key, float32(m.FinalNorm.Eps)), nil
	case "use_parallel_residual":
		return gguf.NewBool(key, block.Parallel), nil
	}
	return gguf.KV{}, fmt.Errorf("internal error: key %q of a GGUF file is not written", key)
}

// sizeLabel names a number of parameters as GGUF files do, with two digits or
// more: 135M, 1.1B.
func sizeLabel(n int64) string {
	x, unit := float64(n)/1e3, "K"
	for _, larger := range []string{"M", "B", "T"} {
		if x > 1e3 {
			x, unit = x/1e3, larger
		}
	}
	digits := max(2-len(strings.TrimLeft(fmt.Sprintf("%.0f", x), "0")), 0)
	return fmt.Sprintf("%.*f%s", digits, x, unit)
}

// closeGGUF adds pecvt's own keys and the plan of the file.
func (p *Plan) closeGGUF(g *ggufFile) error {
	p.ggufFile = g
	if err := p.sealGGUF(); err != nil {
		return err
	}
	p.Files = append(p.Files, FilePlan{Name: p.fileName(), Action: Rewrite, Tensors: len(g.h.Tensors), Edited: len(g.h.Tensors), Bytes: int64(len(g.header)) + g.data})
	return nil
}

// sealGGUF writes the header with the manifest as it stands.
func (p *Plan) sealGGUF() (err error) {
	g := p.ggufFile
	if err := p.describeIn(g.h); err != nil {
		return err
	}
	if g.data, err = g.h.Arrange(); err != nil {
		return err
	}
	g.header, err = g.h.Encode()
	return err
}
