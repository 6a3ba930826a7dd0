package family

import (
	"fmt"
	"slices"
)

// DeltaNet is a gated delta net in the place of attention (arXiv 2412.06464). Each
// of Heads heads carries a matrix S, (KDim, VDim), zero before the first token:
//
//	S' = α_t S_{t−1};  S_t = S' + β_t k̂_t (v_t − S'ᵀ k̂_t)ᵀ;  o_t = S_tᵀ q̂_t / √KDim
//
// with (q, k, v) = silu(Conv([Q x; K x; V x])), x̂ = x / √(Σx² + 1e-6) of each head,
// β = BetaScale·σ(B x) and α = exp(−exp(ALog)·softplus(A x + DTBias)). Head h reads
// key head h / (Heads/KHeads). The output is Out(Norm(o) ⊙ silu(Z x)). Padding
// changes neither S nor what the convolution sees, but as a zero.
//
// In Kimi delta attention (arXiv 2510.26692) α is a vector, KeyDecay: a decay for each
// number of a key, whose rows of A and numbers of DT are (Heads·KDim). With Bound b < 0
// it is α = exp(b σ(exp(ALog)·(A x + DT))), and SigmoidGate has σ(Z x) as the gate.
type DeltaNet struct {
	Heads, KHeads, KDim, VDim int
	// QKV are the three projections in one, or Q, K and V each by itself; the other
	// form has no names. (2·KHeads·KDim + Heads·VDim, hidden)
	QKV, Q, K, V Linear
	// Convs are convolutions of the projections' channels in their order, one of all
	// or some of parts.
	Convs    []Conv
	A, B     Linear // (Heads, hidden), A with KeyDecay (Heads·KDim, hidden)
	ALog, DT Weight // (Heads)
	// BetaScale is 1, or 2 where eigenvalues may be negative.
	BetaScale float64
	KeyDecay  bool
	Bound     float64
	// SigmoidGate: the gate is σ(Z x).
	SigmoidGate bool
	Z           Linear // (Heads·VDim, hidden)
	Norm        Norm   // of each head, over VDim
	Out         Linear // (hidden, Heads·VDim)
}

// DeltaEps is ε of the norms of a gated delta net's queries and keys, which no
// configuration says.
const DeltaEps = 1e-6

// Channels are how many the convolutions have together.
func (d *DeltaNet) Channels() int { return 2*d.KHeads*d.KDim + d.Heads*d.VDim }

// Decays are how many a token has.
func (d *DeltaNet) Decays() int {
	if d.KeyDecay {
		return d.Heads * d.KDim
	}
	return d.Heads
}

// Inputs are the projections that the convolutions read, in the order of their
// channels, and their places.
func (d *DeltaNet) Inputs() ([]*Linear, []string) {
	if d.QKV.Weight.Tensor != "" {
		return []*Linear{&d.QKV}, []string{AtDeltaIn}
	}
	return []*Linear{&d.Q, &d.K, &d.V}, []string{AtDeltaQ, AtDeltaK, AtDeltaV}
}

// Parts lists the net's parts.
func (d *DeltaNet) Parts() []Part {
	self := Part{Kind: KindDeltaNet, Place: AtDelta, Of: d, Weights: []Role{{"a_log", &d.ALog}, {"dt_bias", &d.DT}},
		Numbers: []Number{{Name: "beta scale", One: &d.BetaScale}}}
	if d.KeyDecay || d.SigmoidGate {
		self.Features = append(self.Features, KimiDelta)
	}
	self.number("bound", &d.Bound, KimiDelta)
	l := rawParts{self}
	in, places := d.Inputs()
	for i, v := range in {
		l.linear(places[i], v)
	}
	for i := range d.Convs {
		l = append(l, d.Convs[i].part(AtDeltaConv(i)))
	}
	l.linear(AtDeltaA, &d.A)
	l.linear(AtDeltaB, &d.B)
	l.linear(AtDeltaZ, &d.Z)
	l.norm(AtDeltaNorm, &d.Norm)
	l.linear(AtDeltaOut, &d.Out)
	return l
}

// Copy implements Branch.
func (d *DeltaNet) Copy() Branch {
	c := *d
	c.Convs = slices.Clone(d.Convs)
	return &c
}

// States implements Stateful.
func (d *DeltaNet) States() []State {
	list := []State{{RecurrentState, []int{d.Heads, d.KDim, d.VDim}}}
	if taps := d.Convs[0].Taps; taps > 1 {
		list = append(list, State{WindowState, []int{taps - 1, d.Channels()}})
	}
	return list
}

// AtDeltaConv is the place of one of a delta net's convolutions.
func AtDeltaConv(i int) string { return fmt.Sprintf("%s/conv%d", AtDelta, i) }
