package family

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/pecvt/pecvt/posenc"
)

// build applies a family's data to a configuration.
func build(r *Reader, spec Spec) *Model {
	m := &Model{Family: spec.Name, ModelType: spec.ModelType, Config: r.C}
	checkKeys(r, spec, m)
	s := readSizes(r, spec, m)
	if r.Err != nil {
		return nil
	}
	windows := spec.Window.layers(r, s.layers)
	full, slides := headSizes(r, spec, s, windows)
	if r.Err != nil {
		return nil
	}
	var pos Position
	if spec.Position != nil {
		pos = spec.Position(r, m, s.heads, s.headDim)
	} else {
		pos = ropePosition(r, spec, m, s.turnableOf(full))
		pos.Rotary.HeadDim = full
	}
	sliding := slidingPosition(r, spec, m, windows, slides)
	r.Fail(pos.Rotary.Check())
	if r.Err != nil {
		return nil
	}
	b := builder{r: r, spec: spec, n: spec.Names, sizes: s, hidden: int64(m.Hidden)}
	b.scoreFactor = 1
	if spec.Rope.ScoreFactor {
		b.scoreFactor = m.Rope.ScoreFactor()
	}
	b.shortConvs()
	b.mambas()
	b.deltaNets()
	if spec.RGLRU != nil {
		b.gated = spec.RGLRU.Layers(r, s.layers)
	}
	if spec.Lightning != nil {
		b.bolts = spec.Lightning(r, s.layers)
	}
	if r.Err != nil {
		return nil
	}
	m.Embed = whole(b.n.Embed+".weight", int64(m.Vocab), b.hidden)
	m.EmbedNorm = b.norm(spec.Norm, b.n.EmbedNorm, b.hidden)
	m.FinalNorm = *b.norm(spec.Norm, b.n.FinalNorm, b.hidden)
	m.Head = b.linear(b.n.Head, b.has(spec.HeadBias), int64(m.Vocab), b.hidden)
	if b.n.HeadDense != "" {
		m.HeadDense = &HeadDense{Linear: b.linear(b.n.HeadDense, b.has(spec.HeadDenseBias), b.hidden, b.hidden), Act: b.act, Norm: *b.norm(spec.Norm, b.n.HeadDenseNorm, b.hidden)}
		if key := spec.HeadDenseAct; key != "" && r.Present([]string{key}) != "" {
			m.HeadDense.Act = activation(r, spec, []string{key})
		}
	}
	m.headName, m.base = m.Head.Weight.Tensor, b.n.basePrefix()
	m.embed = strings.TrimPrefix(m.Embed.Tensor, m.base)
	m.extra, _, _ = r.C.Int("num_nextn_predict_layers")
	if m.Tied {
		m.Head.Weight = m.Embed
	}
	if x := spec.Indexer; x != nil && x.Shared != nil {
		if b.chosen = x.Shared(r, s.layers); r.Err != nil {
			return nil
		}
	}
	if spec.Experts != nil {
		m.mayMiss = spec.Experts.MayMiss
		b.dense = spec.Experts.dense(r, s.layers)
	}
	b.byLayer(m)
	m.Blocks = make([]Block, s.layers)
	for i := range m.Blocks {
		b.layer = i
		m.Blocks[i] = b.block(pos, windows[i])
		if r.Err != nil {
			return nil
		}
		if sliding != nil && windows[i] > 0 {
			sliding.turn(m.Blocks[i].Attn())
		}
		for _, t := range b.n.Ignore {
			m.Ignored = append(m.Ignored, b.name(t))
		}
	}
	if m.FirstAttn().Heads == 0 {
		r.Fail(Unsupported("no layer has attention, and nothing is positional; checkpoints with it are read"))
		return nil
	}
	if spec.LayerBases != "" {
		m.turnByLayer(r, spec.LayerBases)
	}
	if spec.Adjust != nil {
		spec.Adjust(r, m)
	}
	consistency(m, spec.Rope)
	m.Warnings = append(m.Warnings, r.Warnings...)
	return m
}

// ropePosition reads the rope keys and the spectrum they declare.
func ropePosition(r *Reader, spec Spec, m *Model, headDim int) Position {
	r.Fail(readRope(m, headDim, spec.Rope))
	return Position{Rotary: rotaryOf(r, spec, m, m.Rope), QueryScale: queryScale(r, spec.Rope)}
}

// rotaryOf is the rotation that a declaration gives at the trained length.
func rotaryOf(r *Reader, spec Spec, m *Model, p posenc.RopeParams) posenc.Rotary {
	if r.Err == nil {
		r.Fail(spec.checkRope(p))
	}
	if r.Err != nil {
		return posenc.Rotary{}
	}
	s, err := p.Spectrum(m.TrainedLength)
	r.Fail(err)
	rotary := posenc.Rotary{Spectrum: s, HeadDim: p.HeadDim, Dim: p.RotaryDim()}
	if spec.Interleaved {
		rotary.Pairing = posenc.Interleaved
	}
	return rotary
}

// builder makes one layer's weights from a family's name templates.
type builder struct {
	sizes
	r      *Reader
	spec   Spec
	n      Names
	hidden int64
	layer  int
	value  int    // the size of the layer's values
	convs  []bool // which layers have a short convolution; nil is none
	taps   int
	deltas []bool // which layers have a gated delta net; nil is none
	delta  deltaSizes
	dense  []bool // layers without a mixture of experts
	chosen []bool // layers that see the keys of the one before them
	gated  []bool // layers with a gated linear recurrence in the place of attention
	bolts  []bool // layers with lightning attention in the place of attention
	mamba  []bool // layers with a Mamba 2 layer in the place of attention
	// mambaSizes are those of each of them.
	mambaSizes Mamba
	own        int64 // the size of embeddings by layer, 0 for none
	// scoreFactor multiplies the scale of latent attention's scores.
	scoreFactor float64
}

// block makes the layer.
func (b *builder) block(pos Position, window int) Block {
	b.value = b.headDim
	if b.spec.InnerAt != nil {
		own := *b
		b = &own
		b.inner = b.spec.InnerAt(b.r, b.layer, b.inner)
	}
	if b.spec.HeadsOf != nil {
		own := *b // its heads are this layer's
		b = &own
		h := b.spec.HeadsOf(b.r, b.layer, window > 0, HeadSizes{b.heads, b.kv, b.headDim, b.headDim})
		if b.r.Err == nil && h.Heads%h.KVHeads != 0 {
			b.r.Fail(fmt.Errorf("layer %d: %d attention heads cannot share %d key/value heads evenly", b.layer, h.Heads, h.KVHeads))
		}
		b.heads, b.kv, b.headDim, b.value = h.Heads, h.KVHeads, h.QK, h.V
	}
	norm := func(template string) *Norm { return b.norm(b.spec.Norm, template, b.hidden) }
	block := Block{AttnNorm: norm(b.n.AttnNorm), AttnOutNorm: norm(b.n.AttnOutNorm), MLPNorm: norm(b.n.MLPNorm), MLPOutNorm: norm(b.n.MLPOutNorm),
		Mixer: b.mixer(pos, window), FeedForward: b.feedForward(), Parallel: b.has(b.spec.Parallel)}
	if x := b.spec.Mamba; x != nil && x.Beside {
		block.Second = b.mambaLayer()
	}
	if b.spec.SharedNorm {
		block.MLPNorm = norm(b.n.AttnNorm)
	}
	if b.spec.Halves && b.layer%2 == 0 {
		block.Shortcut = b.experts(b.spec.Experts)
	}
	if x := b.spec.Experts; x != nil && x.Beside && !b.dense[b.layer] {
		block.Side = b.sideExperts()
	}
	b.perLayer(&block)
	if b.n.Scalar != "" {
		w := whole(b.name(b.n.Scalar), 1)
		block.Scalar = &w
	}
	return block
}

func (b *builder) attention(pos Position, window int) *Attention {
	d := int64(b.headDim)
	q, k := int64(b.heads)*d, int64(b.kv)*d
	rotary := pos.Rotary
	rotary.Spectrum = rotary.Spectrum.Clone()
	a := &Attention{Heads: b.heads, KVHeads: b.kv, QKDim: b.headDim, VDim: b.value, Scale: 1 / math.Sqrt(float64(d)), Window: window, Rotary: rotary, QueryScale: pos.QueryScale}
	if pos.Bias != nil {
		bias := *pos.Bias
		a.Bias = &bias
	}
	bias := b.has(b.spec.QKVBias)
	switch {
	case b.latent != nil:
		b.latents(a)
		b.outGate(a)
		return a
	case b.n.QKV == "":
		a.Q, a.K, a.V = b.linear(b.n.Q, bias, q, b.hidden), b.linear(b.n.K, bias, k, b.hidden), b.linear(b.n.V, bias, int64(b.kv*b.value), b.hidden)
	case b.spec.GroupedQKV:
		rep := int64(b.heads / b.kv)
		a.Q, a.K, a.V = b.grouped(bias, 0, rep), b.grouped(bias, rep, 1), b.grouped(bias, rep+1, 1)
	default:
		part := func(begin, out int64) Linear {
			return b.part(b.n.QKV, bias, b.hidden, q+2*k, Range{begin, begin + out})
		}
		a.Q, a.K, a.V = part(0, q), part(q, k), part(q+k, k)
	}
	if b.spec.Backwards {
		a.Q.backwards(b.heads)
		a.K.backwards(b.kv)
	}
	a.O = b.linear(b.n.O, b.has(b.spec.OBias), b.hidden, int64(b.heads*b.value))
	if b.has(b.spec.QKNorm) {
		qn, kn := d, d
		if b.spec.NormOverHeads {
			qn, kn = q, k
		}
		a.QNorm, a.KNorm, a.NormAfter = b.headNorm(b.n.QNorm, qn, b.heads), b.headNorm(b.n.KNorm, kn, b.kv), b.spec.NormAfter && rotary.Dim > 0
	}
	if b.spec.ValueNorm {
		a.VNorm = &Norm{Kind: RMS, Size: b.value, Eps: b.eps}
	}
	over := int64(b.value)
	if b.spec.NormOverHeads {
		over *= int64(b.heads)
	}
	a.HeadNorm = b.norm(RMS, b.n.HeadNorm, over)
	b.outGate(a)
	a.KShift, a.VShift = b.shift(b.n.KShift), b.shift(b.n.VShift)
	if b.n.Sinks != "" {
		w := whole(b.name(b.n.Sinks), int64(b.heads))
		a.Sinks = &w
	}
	return a
}

// backwards swaps the halves of every head's coordinates: (a, b) turned by −θ is
// (b, a) turned by θ, and neither a score nor a norm without weights sees the
// order of coordinates.
func (l *Linear) backwards(heads int) {
	var rows []Range
	half := l.Weight.Shape[0] / int64(heads) / 2
	for h := range int64(heads) {
		begin := h * 2 * half
		rows = append(rows, Range{begin + half, begin + 2*half}, Range{begin, begin + half})
	}
	l.Weight.Rows = rows
	if l.Bias != nil {
		l.Bias.Rows = rows
	}
}

// grouped is the part of every key/value head's rows in a fused matrix that
// begins at and spans n head vectors.
func (b *builder) grouped(bias bool, at, n int64) Linear {
	d, group := int64(b.headDim), int64(b.heads/b.kv)+2
	rows := make([]Range, b.kv)
	for g := range rows {
		begin := (int64(g)*group + at) * d
		rows[g] = Range{begin, begin + n*d}
	}
	return b.part(b.n.QKV, bias, b.hidden, int64(b.kv)*group*d, rows...)
}

func (b *builder) shift(template string) *Shift {
	if template == "" {
		return nil
	}
	return &Shift{Gate: b.linear(template, false, int64(b.kv), b.hidden)}
}

func (b *builder) mlp() *MLP {
	bias, inner := b.has(b.spec.MLPBias), int64(b.inner)
	m := &MLP{Act: b.act, Gated: b.n.Gate != "" || b.n.GateUp != "", Down: b.linear(b.n.Down, bias, b.hidden, inner), DownNorm: b.norm(b.spec.Norm, b.n.DownNorm, inner)}
	if b.act == "xielu" {
		m.XIELU = b.xielu()
	}
	if b.n.GateUp != "" {
		m.Gate, m.Up = b.part(b.n.GateUp, bias, b.hidden, 2*inner, Range{0, inner}), b.part(b.n.GateUp, bias, b.hidden, 2*inner, Range{inner, 2 * inner})
		return m
	}
	if m.Gated {
		m.Gate = b.linear(b.n.Gate, bias, inner, b.hidden)
	}
	m.Up = b.linear(b.n.Up, bias, inner, b.hidden)
	return m
}

// xielu are the numbers of the activation, each in a tensor of its own.
func (b *builder) xielu() *XIELU {
	number := func(name string, shape ...int64) Weight { return whole(b.name(b.n.XIELU)+name, shape...) }
	return &XIELU{AlphaP: number(".alpha_p", 1), AlphaN: number(".alpha_n", 1), Beta: number(".beta"), Eps: number(".eps")}
}

func (b *builder) name(template string) string {
	layer := b.layer
	if b.spec.Halves {
		template = strings.ReplaceAll(template, "{j}", strconv.Itoa(layer%2))
		layer /= 2
	}
	return strings.ReplaceAll(template, "{i}", strconv.Itoa(layer))
}

func (b *builder) has(rule Rule) bool {
	key := rule.Key
	if rule.Older != "" && b.r.C.Raw(key) == nil {
		key = rule.Older
	}
	return rule.Always || (key != "" && b.r.BoolOr(rule.Default, key))
}

// norm is a norm of n numbers, nil where there is no template of its name.
func (b *builder) norm(kind NormKind, template string, n int64) *Norm {
	if template == "" {
		return nil
	}
	name := b.name(template)
	norm := &Norm{Kind: kind, Size: int(n), Weight: whole(name+".weight", n), Eps: b.eps, Offset: b.spec.NormOffset}
	if b.spec.BareNorms {
		norm.Weight = Weight{}
		return norm
	}
	if kind == LayerNorm && !b.spec.NoNormBias {
		bias := whole(name+".bias", n)
		norm.Bias = &bias
	}
	return norm
}

// linear is y = W x (+ b) with a tensor of its own.
func (b *builder) linear(template string, bias bool, out, in int64) Linear {
	return b.part(template, bias, in, out, Range{0, out})
}

// part is some rows of a stored matrix of total rows.
func (b *builder) part(template string, bias bool, in, total int64, rows ...Range) Linear {
	name := b.name(template)
	var out int64
	for _, r := range rows {
		out += r.End - r.Begin
	}
	if out == total {
		rows = nil
	}
	w := whole(name+".weight", total, in)
	if out != total {
		w.Shape, w.Rows = []int64{out, in}, rows
	}
	l := Linear{Weight: w}
	if bias {
		l.Bias = &Weight{Tensor: name + ".bias", Shape: []int64{out}, Rows: rows, Stored: []int64{total}}
	}
	return l
}

// whole is a weight that is a stored tensor.
func whole(name string, shape ...int64) Weight {
	return Weight{Tensor: name, Shape: shape, Stored: shape}
}

// Unsupported marks a form that the family has and pecvt does not read. Where the
// text does not say what to do, behind a semicolon, a checkpoint without it is it.
func Unsupported(format string, args ...any) error {
	err := fmt.Errorf(format+": %w", append(args, posenc.ErrUnsupported)...)
	if strings.Contains(format, ";") || strings.Contains(err.Error(), "; did you mean") {
		return err
	}
	return fmt.Errorf("%w; checkpoints without it are read: use one, or a program that computes this form", err)
}
