package family

import (
	"math"

	"github.com/pecvt/pecvt/posenc"
)

// This file holds what an attention layer may carry beside a shared rotary
// spectrum: spectra per head, contextual phases, biases, and shifted keys and
// values. A nil pointer means the layer has none of it.

// HeadSpectra gives every key/value head inverse frequencies of its own
// (GRAPE-M, arXiv 2512.07805): InvFreq[g][p] replaces Rotary.InvFreq[p] for
// the heads of group g. A negative frequency turns by −θt, as GRAPE does.
type HeadSpectra struct {
	InvFreq [][]float64
}

// Generators turn every key/value head by exp(tL), L skew in radians per position
// over the D coordinates that are turned (GRAPE-M, arXiv 2512.07805; LieRE, arXiv
// 2406.10322, for one axis):
//
//	exp(tL) = Q R_θ(t) Qᵀ
//
// with R_θ the planes of Rotary and Spectra. In a score Q meets its transpose, so that
// queries and keys times Qᵀ, turned by R_θ, are enough.
type Generators struct {
	// Form is the block's: Basis, Mixed, Rank2 or Dense.
	Form string
	// L is each head's generator, (D, D), and Q its basis, (D, D) with orthonormal
	// columns, planes of them paired as Rotary pairs coordinates.
	L, Q []posenc.Matrix
	// Turn is the same rotation by what its form allows: closed where that is so.
	Turn posenc.PerHead
}

// PhaseGate makes a rotation contextual (GRAPE-M): position t is replaced by
// Φ_t = Σ_{τ<t} σ((w·x_τ + b)/C), x the layer's normalised input. Gate has one
// row (one Φ for all heads) or one per head.
type PhaseGate struct {
	Gate Linear
	C    float64
}

// BiasKind says which bias a layer adds to its scores.
type BiasKind uint8

const (
	// ALiBi is −β_h (i − j) (arXiv 2108.12409).
	ALiBi BiasKind = iota + 1
	// Gated is GRAPE-A: −(i − j) β_h (softplus(v_h·q_i/√d) + softplus(u_h·k_j/√d)),
	// with the term of a nil U or V left out. q and k are normalised and not
	// rotated.
	Gated
	// Forget is FoX: Σ_{l=j+1..i} log σ(w_h·x_l + c_h) (arXiv 2503.02130).
	Forget
	// Path is GRAPE-AP: Σ_{l=j+1..i} β_h log σ(⟨p_i, R_l p̂_l⟩/d_p), p̂ = p/rms(p),
	// R_l turning every plane by −l radians.
	Path
	// Kerple is −r1_h (i − j)^r2_h (Power), or −r1_h log(1 + r2_h (i − j)) (arXiv
	// 2205.09921).
	Kerple
)

// Bias is an additive bias of a layer; b_ij is added to the scaled score.
type Bias struct {
	Kind BiasKind
	// Slopes is β per query head, per position; Kerple's r1.
	Slopes []float64
	// R2 is Kerple's r2 per query head, Power its form.
	R2    []float64
	Power bool
	// RoundBF16 rounds slope, key position and their product to bf16, as Falcon
	// does. BeforeScale adds the bias before the score is scaled.
	RoundBF16, BeforeScale bool
	// U and V are the key and query gates of Gated, (heads, head size), already
	// L2-normalised; nil is none.
	U, V [][]float64
	// Gate is Forget's gate: (heads, hidden) with a bias.
	Gate *Linear
	// P is Path's projection, (heads·PDim, hidden); nil ties p to Tie: "q", "k"
	// or "v", normalised and not rotated.
	P    *Linear
	Tie  string
	PDim int
	// Eps is inside rms(p).
	Eps float64
}

// Shift mixes each head's vector with the one before it (KV-shift):
// y_t = a_t y_{t−1} + (1 − a_t) y_t on the projections, a = σ(W x) per head,
// y_{−1} = 0. It comes right after the projection.
type Shift struct {
	Gate Linear // (key/value heads, hidden)
}

// QueryScale multiplies the query at position t, where it meets keys, by
//
//	1 + Beta·ln(1 + ⌊(t + Ahead)/Length⌋), or (1 + (t + Ahead)/Length)^Power
//
// where Power is not 0,
// so that attention stays sharp over more keys than Length. A layer with it is not
// relative: a shift of all positions changes its scores.
type QueryScale struct {
	Beta   float64 `json:"beta,omitempty"`
	Length float64 `json:"length"`
	Power  float64 `json:"power,omitempty"`
	Ahead  int64   `json:"ahead,omitempty"`
}

// At is the factor of a position.
func (q QueryScale) At(position int64) float64 {
	if q.Power != 0 {
		return math.Pow(1+float64(position+q.Ahead)/q.Length, q.Power)
	}
	return 1 + q.Beta*math.Log1p(math.Floor(float64(position+q.Ahead)/q.Length))
}
