package family

import (
	"fmt"
	"iter"
	"slices"
)

// Kind says what a part computes.
type Kind string

// The kinds.
const (
	KindLayer     Kind = "layer"                   // a *Block: how its branches are joined
	KindEmbedding Kind = "embedding"               // a *Weight, (vocabulary, hidden)
	KindNorm      Kind = "norm"                    // a *Norm
	KindLinear    Kind = "linear"                  // a *Linear
	KindAttention Kind = "attention"               // an *Attention: its scores, beside the parts in it
	KindBias      Kind = "bias"                    // a *Bias, beside the projection it may read
	KindMLP       Kind = "mlp"                     // an *MLP: its activation
	KindShortConv Kind = "gated short convolution" // a *ShortConv: how its parts are joined
	KindConv      Kind = "convolution"             // a *Conv
	KindMamba     Kind = "Mamba 2 layer"           // a *Mamba: its decay, its skip and how its parts are joined
	KindRGLRU     Kind = "gated linear recurrence" // an *RGLRU: its gates and recurrence, beside the parts in it
	KindLightning Kind = "lightning attention"     // a *Lightning: its recurrence, beside the parts in it
	KindDeltaNet  Kind = "gated delta net"         // a *DeltaNet: its recurrence, beside the parts in it
	KindExperts   Kind = "experts"                 // an *Experts: how they are chosen
	KindValues    Kind = "values"                  // a *Weight whose elements went into other parts when the model was loaded
)

// Part is one piece of a model that holds weights or numbers, or that decides
// how others are joined. [Model.Parts] is the only list of them: what claims,
// computes, emits, rewrites or checks a model goes by it, and refuses by name
// what it does not know ([Model.Beyond]).
type Part struct {
	Kind Kind
	// Place is where it stands in its layer, such as "attn/q_norm"; "" is the
	// layer itself. Outside of the layers it is the part's name.
	Place string
	// Layer counts from 0; it is −1 outside of the layers.
	Layer int
	// Of is the typed thing, as Kind says: a pointer into the model.
	Of any
	// Weights are what it reads of the checkpoint, in the order of Load's claims.
	Weights []Role
	// Numbers are those of the configuration that a graph holds in float32.
	Numbers []Number
	// Features are what it adds to llama's shape; an unknown place is one too.
	Features []Feature
	// Encoding: the positional encoding reads its weights.
	Encoding bool
	// Unread: the weights are the checkpoint's, and nothing that is computed reads
	// them, so that a graph has no node of the part.
	Unread bool
}

// Role is a weight as a part uses it: "weight" or "bias", or a number's name.
type Role struct {
	Name string
	*Weight
}

// Number is one number of a configuration, or a list of them; the other is nil.
type Number struct {
	Name string
	One  *float64
	List []float64
}

// Edit replaces every number x by f(x).
func (n Number) Edit(f func(x float64) float64) {
	if n.One != nil {
		*n.One = f(*n.One)
	}
	for i, x := range n.List {
		n.List[i] = f(x)
	}
}

// number adds a number of the configuration where it is there, and the feature that
// it is.
func (p *Part) number(name string, x *float64, f Feature) {
	if *x != 0 {
		p.Numbers, p.Features = append(p.Numbers, Number{Name: name, One: x}), append(p.Features, f)
	}
}

// Path is the part's name in the whole model, such as "/layers.3/attn/q_norm";
// nodes of graphs and values of the reference are named after it.
func (p Part) Path() string { return PathOf(p.Layer, p.Place) }

// PathOf is the name of a place in a layer, or outside of the layers (−1).
func PathOf(layer int, place string) string {
	switch {
	case layer < 0:
		return "/" + place
	case place == "":
		return fmt.Sprintf("/layers.%d", layer)
	}
	return fmt.Sprintf("/layers.%d/%s", layer, place)
}

// Text says in words what the part is: "layer 3: the queries' norm".
func (p Part) Text() string {
	text := fmt.Sprintf("the %s at %s", p.Kind, p.Place)
	if s, ok := slotOf(p.Kind, p.Place); ok {
		text = s.text
	}
	if p.Layer < 0 {
		return text
	}
	return fmt.Sprintf("layer %d: %s", p.Layer, text)
}

// Branch is one of the two things a layer adds to the residual stream: it reads
// the stream, normalised or not, and its output has the stream's size. Its first
// part is the branch itself. *Attention, *MLP and *Experts are those that pecvt computes;
// any other is claimed, described and refused by the name of its kind.
type Branch interface {
	// Parts lists its parts in the order of a forward pass; Layer is not set.
	Parts() []Part
	// Copy returns a copy whose numbers may be edited.
	Copy() Branch
}

// Parts lists the model's parts; see [Model.EachPart].
func (m *Model) Parts() []Part { return slices.Collect(m.EachPart()) }

// EachPart walks the model's parts in the order of a forward pass, then the values
// that were read when it was loaded. Those of a layer are made when the walk comes to
// it: a mixture of thousands of experts has more parts than one wants to hold.
func (m *Model) EachPart() iter.Seq[Part] {
	return func(yield func(Part) bool) {
		l := &partList{layer: -1}
		given := func() bool {
			for _, p := range l.parts {
				if !yield(p) {
					return false
				}
			}
			l.parts = l.parts[:0]
			return true
		}
		l.embedding(m)
		for i := range m.Blocks {
			if !given() {
				return
			}
			l.block(m, i)
		}
		if given() {
			l.head(m)
			given()
		}
	}
}

// embedding adds what stands before the layers.
func (l *partList) embedding(m *Model) {
	embed := Part{Kind: KindEmbedding, Place: AtEmbed, Of: &m.Embed, Weights: []Role{{"weight", &m.Embed}}}
	embed.number("scale", &m.EmbedScale, EmbeddingScale)
	if m.EmbedShift != nil {
		embed.Weights, embed.Features = append(embed.Weights, Role{"shift", m.EmbedShift}), append(embed.Features, ShiftedEmbedding)
	}
	l.add(embed)
	l.norm(AtEmbedNorm, m.EmbedNorm)
	if m.ByLayer != nil {
		l.add(m.ByLayer.parts()...)
	}
}

// head adds what stands behind the layers.
func (l *partList) head(m *Model) {
	l.layer = -1
	l.norm(AtFinalNorm, &m.FinalNorm)
	if d := m.HeadDense; d != nil {
		l.add(d.Linear.Part(AtHeadDense), d.Norm.Part(AtHeadDenseNorm))
	}
	head := m.Head.Part(AtHead)
	head.number("scale", &m.LogitScale, ScaledLogits)
	head.number("cap", &m.LogitCap, CappedLogits)
	l.add(head)
	for i := range m.Parameters {
		w := &m.Parameters[i]
		l.add(Part{Kind: KindValues, Place: AtValues, Of: w, Weights: []Role{{"weight", w}}})
	}
}

// PartsOf lists the parts of layer i.
func (m *Model) PartsOf(i int) []Part {
	l := &partList{}
	l.block(m, i)
	return l.parts
}

// partList collects parts, and fills in what the table of slots says of them.
type partList struct {
	layer int
	parts []Part
}

func (l *partList) add(parts ...Part) {
	for _, p := range parts {
		p.Layer = l.layer
		s, known := slotOf(p.Kind, p.Place)
		switch {
		case !known:
			p.Features = append(p.Features, Feature(fmt.Sprintf("a %s at %q", p.Kind, p.Place)))
		case s.feature != "":
			p.Features = append(p.Features, s.feature)
		}
		p.Encoding, p.Unread = p.Encoding || s.encoding, s.unread
		l.parts = append(l.parts, p)
	}
}

func (l *partList) norm(place string, n *Norm) {
	if n != nil {
		l.add(n.Part(place))
	}
}

// block adds layer i's parts.
func (l *partList) block(m *Model, i int) {
	b := &m.Blocks[i]
	l.layer = i
	layer := Part{Kind: KindLayer, Place: AtLayer, Of: b}
	if b.Parallel {
		layer.Features = append(layer.Features, ParallelBlocks)
	}
	if b.AttnNorm == nil || b.MLPNorm == nil {
		layer.Features = append(layer.Features, PlainBranchInput)
	}
	if a := b.Attn(); a != nil && a.Rotary.Dim > 0 && m.Rope.Type == "" {
		layer.Features = append(layer.Features, SpectraPerLayer)
	}
	if b.Shortcut != nil {
		layer.Features = append(layer.Features, ShortcutExperts)
	}
	if b.Scalar != nil {
		layer.Weights, layer.Features = []Role{{"scalar", b.Scalar}}, append(layer.Features, ScaledLayers)
	}
	layer.number("residual scale", &b.ResidualScale, ScaledBranches)
	if r := b.Residual; r != nil {
		layer.Features = append(layer.Features, NormedStream)
		layer.number("attention's share of the stream", &r.AttnKeep, NormedStream)
		layer.number("attention's scale", &r.AttnAdd, NormedStream)
		layer.number("the MLP's share of the stream", &r.MLPKeep, NormedStream)
		layer.number("the MLP's scale", &r.MLPAdd, NormedStream)
	}
	if b.Second != nil {
		layer.Features = append(layer.Features, SideMixers)
		layer.number("mixer's scale", &b.MixerScale, SideMixers)
	}
	l.add(layer)
	l.norm(AtAttnNorm, b.AttnNorm)
	l.add(b.Mixer.Parts()...)
	if b.Second != nil {
		l.add(b.Second.Parts()...)
	}
	l.norm(AtAttnOut, b.AttnOutNorm)
	l.norm(AtMLPNorm, b.MLPNorm)
	l.add(b.FeedForward.Parts()...)
	if b.Shortcut != nil {
		l.add(b.Shortcut.Parts()...)
	}
	if b.Side != nil {
		l.add(b.Side.parts()...)
	}
	l.norm(AtMLPOut, b.MLPOutNorm)
	if b.PerLayer != nil {
		l.add(b.PerLayer.parts()...)
	}
	l.add(b.Beside...)
}

// Attentions walks the layers that have attention: what concerns positions
// concerns them alone.
func (m *Model) Attentions() iter.Seq2[int, *Attention] {
	return func(yield func(int, *Attention) bool) {
		for i := range m.Blocks {
			if a := m.Blocks[i].Attn(); a != nil && !yield(i, a) {
				return
			}
		}
	}
}

// Clone returns a copy of the model whose layers, and the numbers in them, may
// be edited. Weights, spectra per head and what Load still has to read stay the
// original's.
func (m *Model) Clone() *Model {
	c := *m
	c.EmbedNorm, c.ByLayer = m.EmbedNorm.copied(), m.ByLayer.copied()
	if m.HeadDense != nil {
		d := *m.HeadDense
		c.HeadDense = &d
	}
	c.Blocks = slices.Clone(m.Blocks)
	for i := range c.Blocks {
		b := &c.Blocks[i]
		b.Mixer, b.FeedForward, b.PerLayer = b.Mixer.Copy(), b.FeedForward.Copy(), b.PerLayer.copied()
		b.Side = b.Side.copied()
		b.Residual = b.Residual.copied()
		if b.Second != nil {
			b.Second = b.Second.Copy()
		}
		if b.Shortcut != nil {
			b.Shortcut = b.Shortcut.Copy().(*Experts)
		}
		for _, n := range []**Norm{&b.AttnNorm, &b.AttnOutNorm, &b.MLPNorm, &b.MLPOutNorm} {
			*n = (*n).copied()
		}
	}
	return &c
}
