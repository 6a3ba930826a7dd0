package family

import "math"

// Places of lightning attention.
const (
	AtLightning     = "lightning"
	AtLightningIn   = "lightning/in_proj"
	AtLightningNorm = "lightning/norm"
	AtLightningGate = "lightning/gate_proj"
	AtLightningOut  = "lightning/out_proj"
)

// Lightning is lightning attention in the place of attention (arXiv 2401.04658): with
// (q, k, v) = silu(In x), HeadDim numbers of each head h,
//
//	S_t = e^{−s_h} S_{t−1} + v_t k_tᵀ;  o_t = S_t q_t
//
// it is Out(Norm(o) ⊙ σ(Gate x)), Norm over all heads together. Padding is no step.
// The state S is (batch, Heads, HeadDim of values, HeadDim of keys).
type Lightning struct {
	Heads, HeadDim int
	// In's rows are, of each head in turn, its query's, key's and value's.
	In, Gate, Out Linear // (3·Heads·HeadDim, hidden), (Heads·HeadDim, hidden), (hidden, Heads·HeadDim)
	Norm          Norm
	// Slopes are s, which Stored, (Heads, 1, 1), holds where it is not nil.
	Slopes []float64
	Stored *Weight
	// decays are the names of tables made of the slopes, which stock loaders compute a
	// prompt with where they are stored: of queries, of keys, of both.
	decays [3]string
}

// LightningEps is ε of the norm, whatever the configuration says of others.
const LightningEps = 1e-6

// Width is how many numbers all heads have.
func (l *Lightning) Width() int { return l.Heads * l.HeadDim }

// Parts lists its parts.
func (l *Lightning) Parts() []Part {
	self := Part{Kind: KindLightning, Place: AtLightning, Of: l}
	if l.Stored != nil {
		self.Weights = []Role{{"slopes", l.Stored}}
	} else {
		self.Numbers = []Number{{Name: "slopes", List: l.Slopes}}
	}
	list := rawParts{self}
	list.linear(AtLightningIn, &l.In)
	list.norm(AtLightningNorm, &l.Norm)
	list.linear(AtLightningGate, &l.Gate)
	list.linear(AtLightningOut, &l.Out)
	return list
}

// Copy implements Branch.
func (l *Lightning) Copy() Branch {
	c := *l
	c.Slopes = append([]float64(nil), l.Slopes...)
	return &c
}

// States implements Stateful.
func (l *Lightning) States() []State {
	return []State{{RecurrentState, []int{l.Heads, l.HeadDim, l.HeadDim}}}
}

// Residual is how a layer's branches join where its norms replace the stream:
//
//	h = AttnKeep·a + AttnAdd·Mixer(a),  a = AttnNorm(x)
//	y = MLPKeep·m + MLPAdd·FeedForward(m),  m = MLPNorm(h)
//
// with 0 for a factor of 1.
type Residual struct{ AttnKeep, AttnAdd, MLPKeep, MLPAdd float64 }

func (r *Residual) copied() *Residual {
	if r == nil {
		return nil
	}
	c := *r
	return &c
}

// lightning makes the layer's lightning attention.
func (b *builder) lightning() *Lightning {
	d := int64(b.heads * b.headDim)
	l := &Lightning{Heads: b.heads, HeadDim: b.headDim, In: b.linear(b.n.LightningIn, false, 3*d, b.hidden),
		Gate: b.linear(b.n.LightningGate, false, d, b.hidden), Out: b.linear(b.n.LightningOut, false, b.hidden, d),
		Norm: *b.norm(RMS, b.n.LightningNorm, d), Slopes: make([]float64, b.heads)}
	l.Norm.Eps = LightningEps
	for h := range l.Slopes {
		l.Slopes[h] = math.Exp2(-8*float64(h+1)/float64(b.heads)) * (1 - float64(b.layer)/(float64(b.layers)-1+1e-5) + 1e-5)
	}
	w := whole(b.name(b.n.LightningSlopes), int64(b.heads), 1, 1)
	l.Stored = &w
	for k, template := range b.n.LightningDecays {
		l.decays[k] = b.name(template)
	}
	return l
}
