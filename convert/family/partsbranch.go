package family

import (
	"fmt"
	"slices"

	"github.com/pecvt/pecvt/posenc"
)

// Parts lists attention's parts; the projections that its encoding reads stand
// where it reads them.
func (a *Attention) Parts() []Part {
	self := Part{Kind: KindAttention, Place: AtAttn, Of: a, Numbers: []Number{{Name: "scale", One: &a.Scale}}}
	has := func(yes bool, f Feature) {
		if yes {
			self.Features = append(self.Features, f)
		}
	}
	has(a.Rotary.Dim == 0, UnrotatedLayers)
	has(a.NormAfter && (a.QNorm != nil || a.KNorm != nil), NormAfterRotation)
	has(a.QNorm != nil && a.QNorm.Size != a.QKDim || a.KNorm != nil && a.KNorm.Size != a.QKDim, NormOverHeads)
	has(a.VDim != a.QKDim, ValuesOfOtherSize)
	has(a.K.Weight.Tensor != "" && a.K.Weight.Tensor == a.V.Weight.Tensor && a.K.Weight.Rows == nil && a.V.Weight.Rows == nil, ValuesOfKeys)
	has(a.KVLayer != nil, SharedKV)
	has(a.Rope != nil, SpectraByType)
	has(a.QueryScale != nil, ScaledQueries)
	has(a.Chunk > 0, ChunkedAttention)
	has(a.HeadNorm != nil && a.HeadNorm.Size != a.VDim, JointOutputNorm)
	has(a.Selects > 0, SparseIndexers)
	has(a.Spectra != nil, SpectraPerHead)
	has(a.Generators != nil, RotationsInBases)
	has(a.Phase != nil, ContextualPhase)
	has(a.Rotary.Dim > 0 && a.Rotary.Pairing == posenc.Interleaved, InterleavedPairs)
	self.number("cap", &a.Cap, CappedScores)
	self.number("clip", &a.Clip, ClippedHeads)
	self.number("value scale", &a.ValueScale, ScaledValues)
	if a.Sinks != nil {
		self.Weights, self.Features = []Role{{"sinks", a.Sinks}}, append(self.Features, AttentionSinks)
	}
	if a.Latent != nil {
		self.number("latent scale", &a.Latent.KVScale, ScaledLatents)
	}
	l := rawParts{self}
	if a.Phase != nil {
		l.linear(AtPhaseGate, &a.Phase.Gate)
	}
	if a.Latent != nil {
		a.Latent.parts(&l)
	}
	if a.Indexer != nil {
		a.Indexer.parts(&l)
	}
	l.linear(AtQ, &a.Q)
	l.linear(AtK, &a.K)
	l.linear(AtV, &a.V)
	if a.KShift != nil {
		l.linear(AtKShift, &a.KShift.Gate)
	}
	if a.VShift != nil {
		l.linear(AtVShift, &a.VShift.Gate)
	}
	l.norm(AtQNorm, a.QNorm)
	l.norm(AtKNorm, a.KNorm)
	l.norm(AtVNorm, a.VNorm)
	if b := a.Bias; b != nil {
		l = append(l, b.part())
		l.linear(AtForgetGate, b.Gate)
		l.linear(AtPathProj, b.P)
	}
	l.norm(AtHeadNorm, a.HeadNorm)
	if a.OutGate != nil {
		l = append(l, a.OutGate.part())
	}
	l.linear(AtO, &a.O)
	return l
}

// Copy implements Branch: norms and the bias have numbers of their own.
func (a *Attention) Copy() Branch {
	c := *a
	c.QNorm, c.KNorm, c.VNorm, c.HeadNorm, c.Bias = a.QNorm.copied(), a.KNorm.copied(), a.VNorm.copied(), a.HeadNorm.copied(), a.Bias.copied()
	if a.Latent != nil {
		c.Latent = a.Latent.copied()
	}
	c.Indexer = a.Indexer.copied()
	return &c
}

// Parts lists the MLP's parts.
func (m *MLP) Parts() []Part {
	l := rawParts{m.self()}
	l.mlp(m, func(place string) string { return place })
	return l
}

// self is the part of what lies between the linears.
func (m *MLP) self() Part {
	self := Part{Kind: KindMLP, Place: AtMLP, Of: m}
	if !m.Gated {
		self.Features = []Feature{UngatedMLP}
	}
	if x := m.XIELU; x != nil {
		self.Weights = []Role{{"alpha_p", &x.AlphaP}, {"alpha_n", &x.AlphaN}, {"beta", &x.Beta}, {"eps", &x.Eps}}
		self.Features = append(self.Features, LearnedActivation)
	}
	if c := m.Clamp; c != nil {
		self.Features = append(self.Features, ClampedGates)
		self.Numbers = []Number{{Name: "limit", One: &c.Limit}, {Name: "alpha", One: &c.Alpha}, {Name: "offset", One: &c.Offset}}
	}
	self.number("gate's scale", &m.GateScale, ScaledMLP)
	self.number("inner scale", &m.InnerScale, ScaledMLP)
	return self
}

// mlp adds the linears of an MLP; at names their places.
func (l *rawParts) mlp(m *MLP, at func(place string) string) {
	l.linear(at(AtGate), &m.Gate)
	l.linear(at(AtUp), &m.Up)
	l.norm(at(AtDownNorm), m.DownNorm)
	l.linear(at(AtDown), &m.Down)
}

// Copy implements Branch.
func (m *MLP) Copy() Branch {
	c := *m
	c.DownNorm = m.DownNorm.copied()
	if m.Clamp != nil {
		clamp := *m.Clamp
		c.Clamp = &clamp
	}
	return &c
}

// rawParts are parts whose layer and slot are not filled in.
type rawParts []Part

func (l *rawParts) norm(place string, n *Norm) {
	if n != nil {
		*l = append(*l, n.Part(place))
	}
}

func (l *rawParts) linear(place string, v *Linear) {
	if v != nil && v.Weight.Tensor != "" {
		*l = append(*l, v.Part(place))
	}
}

// Part is the norm at a place.
func (n *Norm) Part(place string) Part {
	p := Part{Kind: KindNorm, Place: place, Of: n, Numbers: []Number{{Name: "epsilon", One: &n.Eps}}}
	if n.Weight.Tensor != "" {
		p.Weights = []Role{{"weight", &n.Weight}}
	}
	if n.Bias != nil {
		p.Weights = append(p.Weights, Role{"bias", n.Bias})
	}
	for h := range n.PerHead {
		p.Weights = append(p.Weights, Role{fmt.Sprintf("weight of head %d", h), &n.PerHead[h]})
	}
	switch {
	case n.PerHead != nil:
		p.Features = append(p.Features, NormsPerHead)
	case n.Weight.Tensor == "":
		p.Features = append(p.Features, BareNorms)
	}
	p.number("offset", &n.Offset, OffsetNorms)
	switch n.Kind {
	case RMS:
	case LayerNorm:
		p.Features = append(p.Features, LayerNorms)
	default:
		p.Features = append(p.Features, Feature(fmt.Sprintf("a norm of unknown kind %d", n.Kind)))
	}
	return p
}

func (n *Norm) copied() *Norm {
	if n == nil {
		return nil
	}
	c := *n
	return &c
}

// Part is the linear at a place.
func (l *Linear) Part(place string) Part {
	p := Part{Kind: KindLinear, Place: place, Of: l, Weights: []Role{{"weight", &l.Weight}}}
	if l.Bias != nil {
		p.Weights = append(p.Weights, Role{"bias", l.Bias})
	}
	return p
}

func (b *Bias) part() Part {
	p := Part{Kind: KindBias, Place: AtBias, Of: b, Numbers: []Number{{Name: "slope", List: b.Slopes}, {Name: "r2", List: b.R2}, {Name: "epsilon", One: &b.Eps}}}
	for _, rows := range [][][]float64{b.U, b.V} {
		for _, row := range rows {
			p.Numbers = append(p.Numbers, Number{Name: "gate", List: row})
		}
	}
	p.Features = []Feature{biasFeature(b.Kind)}
	if b.RoundBF16 || b.BeforeScale {
		p.Features = append(p.Features, BiasRounded)
	}
	return p
}

func (b *Bias) copied() *Bias {
	if b == nil {
		return nil
	}
	c := *b
	c.Slopes, c.R2, c.U, c.V = slices.Clone(b.Slopes), slices.Clone(b.R2), copiedRows(b.U), copiedRows(b.V)
	return &c
}

func copiedRows(rows [][]float64) [][]float64 {
	if rows == nil {
		return nil
	}
	out := make([][]float64, len(rows))
	for i, row := range rows {
		out[i] = slices.Clone(row)
	}
	return out
}
