package family

import "github.com/pecvt/pecvt/posenc"

// Conv is a causal convolution along the tokens, each channel by itself:
//
//	y_t = Σ_k w_k z_{t−Taps+1+k} + b,  k = 0 … Taps−1
//
// with z = 0 before the first token and at padding. The last Taps−1 of z are what
// the next token needs.
type Conv struct {
	Weight Weight // (channels, 1, Taps)
	Bias   *Weight
	Taps   int
}

// ShortConv is a gated short convolution in the place of attention (LFM2): with
// (B, C, x) the three parts of In's output, each of the stream's size,
//
//	y = Out(C ⊙ Conv(B ⊙ x))
type ShortConv struct {
	In, Out Linear // (3·hidden, hidden) and (hidden, hidden)
	Conv    Conv
}

// ConvRule says which layers have a short convolution in the place of attention:
// those that Layers names. Length is the key of its taps, Taps the value where that
// is absent, Bias says whether its linears and itself have a bias.
type ConvRule struct {
	Length string
	Taps   int
	Bias   Rule
	Layers func(r *Reader, layers int) []bool
}

// Parts lists the convolution's parts.
func (c *ShortConv) Parts() []Part {
	l := rawParts{{Kind: KindShortConv, Place: AtShortConv, Of: c}}
	l.linear(AtConvIn, &c.In)
	l = append(l, c.Conv.part(AtConv))
	l.linear(AtConvOut, &c.Out)
	return l
}

// Copy implements Branch.
func (c *ShortConv) Copy() Branch {
	d := *c
	return &d
}

func (c *Conv) part(place string) Part {
	p := Part{Kind: KindConv, Place: place, Of: c, Weights: []Role{{"weight", &c.Weight}}}
	if c.Bias != nil {
		p.Weights = append(p.Weights, Role{"bias", c.Bias})
	}
	return p
}

// FirstAttn is the attention of the first layer that has one; in a model without,
// one of no heads.
func (m *Model) FirstAttn() *Attention {
	for _, a := range m.Attentions() {
		return a
	}
	return &Attention{Rotary: posenc.Rotary{}}
}

// mixer makes the layer's attention, or what takes its place.
func (b *builder) mixer(pos Position, window int) Branch {
	if b.convs != nil && b.convs[b.layer] {
		return b.shortConv()
	}
	if b.mamba != nil && b.mamba[b.layer] {
		return b.mambaLayer()
	}
	if b.deltas != nil && b.deltas[b.layer] {
		return b.deltaNet()
	}
	if b.gated != nil && b.gated[b.layer] {
		return b.rglru()
	}
	if b.bolts != nil && b.bolts[b.layer] {
		return b.lightning()
	}
	return b.attention(pos, window)
}

func (b *builder) shortConv() *ShortConv {
	bias := b.has(b.spec.Conv.Bias)
	c := &ShortConv{In: b.linear(b.n.ConvIn, bias, 3*b.hidden, b.hidden), Out: b.linear(b.n.ConvOut, bias, b.hidden, b.hidden)}
	c.Conv = b.conv(b.n.Conv, bias, b.hidden, b.taps)
	return c
}

// conv is a convolution of n channels.
func (b *builder) conv(template string, bias bool, n int64, taps int) Conv {
	name := b.name(template)
	c := Conv{Weight: whole(name+".weight", n, 1, int64(taps)), Taps: taps}
	if bias {
		w := whole(name+".bias", n)
		c.Bias = &w
	}
	return c
}

// shortConvs reads which layers have a short convolution, and its taps.
func (b *builder) shortConvs() {
	rule := b.spec.Conv
	if rule.Layers == nil {
		return
	}
	b.convs, b.taps = rule.Layers(b.r, b.layers), b.r.SizeOr(rule.Taps, rule.Length)
}
