package retrofit

import (
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/gemm"
	"github.com/pecvt/pecvt/posenc"
)

// What CalibrateOptions.Fit takes; empty is FitWeights.
const (
	// FitWeights fits W_q and W_k, number by number.
	FitWeights = "wqk"
	// FitBasis fits with them an orthogonal matrix B for each key/value head, which all
	// its queries and keys go through before they turn.
	FitBasis = "basis"
)

// Fits lists the values of CalibrateOptions.Fit.
func Fits() []string { return []string{FitWeights, FitBasis} }

// UsualFit is a basis where the model allows one, as CanFit says.
func UsualFit(m *family.Model) string {
	if CanFit(m, FitBasis) == nil {
		return FitBasis
	}
	return FitWeights
}

// CanFit refuses what is no fit, and a basis in a model whose queries and keys meet
// something between projection and rotation that takes them coordinate by coordinate: B
// would not fold into W_q and W_k. The errors of the latter wrap posenc.ErrUnsupported.
func CanFit(m *family.Model, fit string) error {
	switch fit {
	case "", FitWeights:
		return nil
	case FitBasis:
	default:
		return fmt.Errorf("fit %q: expected %s or %s", fit, FitWeights, FitBasis)
	}
	for i, a := range m.Attentions() {
		what := ""
		switch {
		case a.QNorm != nil || a.KNorm != nil:
			what = "norms of queries and keys"
		case a.Clip > 0:
			what = "bounds of queries and keys"
		default:
			continue
		}
		return fmt.Errorf("layer %d: %s between projection and rotation: fit %s is %w there, since a basis behind them does not fold into W_q and W_k; fit %s is supported", i, what, FitBasis, posenc.ErrUnsupported, FitWeights)
	}
	return nil
}

// basis fits W_q and W_k together with an orthogonal B (HeadDim, HeadDim) for each
// key/value head: its queries are B W_q h, its keys B W_k h. Without a rotation B is
// nothing, ⟨Bq, Bk⟩ = ⟨q, k⟩; with one it moves whole what the heads compare from planes
// that stand still into planes that turn, and back. W alone can do that too, but only number
// by number, and every step on the way there compares something else.
//
// With G = dL/d(B W), of which dL/dW = Bᵀ G, the derivative along B ← exp(X) B, X skew, is
// ⟨S, X⟩/2, S = A − Aᵀ, A = Σ G (B W)ᵀ over the query heads and the key head. A step is
//
//	X = −f·rate·m/(√v + 3·√mean(v)) of S,  B ← exp(X) B
//
// beside that of W, with the same course f. In the end B W is what is stored.
type basis struct {
	shape       *Shape
	own, folded *Weights[float32] // W and B W
	grad        *Weights[float32] // of W
	b           [][]float64       // of each key/value head
	weights     *adam             // of W
	// Of all key/value heads, (KVHeads, HeadDim, HeadDim) in Q: S, and X of a step as the
	// weights that adam moves from 0.
	slopes, turns *Weights[float32]
	adam          *adam
}

// basisRate is the rate of X, in radians, of a fit at rate 1.
const basisRate = .4

// newBasis begins at B = 1 and W = folded, whose values it replaces by B W.
func newBasis(s *Shape, folded *Weights[float32], rate float64, steps int) *basis {
	d := s.HeadDim
	n := s.KVHeads * d * d
	b := &basis{shape: s, own: folded.Clone(), folded: folded, grad: folded.NewWeights(), b: make([][]float64, s.KVHeads),
		slopes: &Weights[float32]{Q: make([]float32, n)}, turns: &Weights[float32]{Q: make([]float32, n)}}
	for g := range b.b {
		b.b[g] = make([]float64, d*d)
		for i := range d {
			b.b[g][i*d+i] = 1
		}
	}
	b.weights = newAdam(b.own, rate, steps)
	b.adam = newAdam(b.turns, 0, steps)
	b.adam.rates[0] = basisRate * rate // radians, in no proportion to what is there
	return b
}

// update takes one step down grad, the gradient in B W.
func (b *basis) update(grad *Weights[float32]) {
	s, d := b.shape, b.shape.HeadDim
	each(s.KVHeads, func(_, g int) {
		skew(s, g, b.slopes.Q[g*d*d:][:d*d], grad, b.folded)
		through(s, g, gemm.Of(d, d, d, narrow(b.b[g])).T(), grad, b.grad)
	})
	b.weights.update(b.grad)
	clear(b.turns.Q)
	b.adam.update(b.slopes)
	each(s.KVHeads, func(_, g int) {
		b.b[g] = turned(b.turns.Q[g*d*d:][:d*d], b.b[g], d)
		through(s, g, gemm.Of(d, d, d, narrow(b.b[g])), b.own, b.folded)
	})
}

// part is some heads' rows of a matrix and of its bias, which may be nil.
type part[F Float] struct{ w, bias []F }

// partsOf lists the heads that key/value head g counts, as headOf does: its query heads, and
// the key head.
func (s *Shape) partsOf(g int) []int {
	list := make([]int, 0, s.share()+1)
	for n := range s.share() {
		list = append(list, g*s.share()+n)
	}
	return append(list, s.Heads+g)
}

// headOf are the rows of query head n, from Heads on of key head n − Heads.
func headOf[F Float](s *Shape, w *Weights[F], n int) part[F] {
	m, bias := w.Q, w.QBias
	if n >= s.Heads {
		m, bias, n = w.K, w.KBias, n-s.Heads
	}
	d := s.HeadDim
	p := part[F]{w: m[n*d*s.Hidden:][:d*s.Hidden]}
	if bias != nil {
		p.bias = bias[n*d:][:d]
	}
	return p
}

// skew writes S of key/value head g, (HeadDim, HeadDim), from the gradient in the weights
// that its queries and keys are made by.
func skew[F Float](s *Shape, g int, out []F, grad, w *Weights[F]) {
	d := s.HeadDim
	clear(out)
	for _, n := range s.partsOf(g) {
		x, y := headOf(s, grad, n), headOf(s, w, n)
		gemm.Mul(1, gemm.Of(d, s.Hidden, s.Hidden, x.w), gemm.Of(d, s.Hidden, s.Hidden, y.w).T(), 1, gemm.Of(d, d, d, out))
		if x.bias != nil {
			gemm.Mul(1, gemm.Of(d, 1, 1, x.bias), gemm.Of(1, d, d, y.bias), 1, gemm.Of(d, d, d, out))
		}
	}
	for i := range d {
		for j := range i {
			v := out[i*d+j] - out[j*d+i]
			out[i*d+j], out[j*d+i] = v, -v
		}
		out[i*d+i] = 0
	}
}

// through writes to what a matrix makes of the rows of key/value head g.
func through[F Float](s *Shape, g int, matrix gemm.View[F], from, to *Weights[F]) {
	d := s.HeadDim
	for _, n := range s.partsOf(g) {
		x, y := headOf(s, from, n), headOf(s, to, n)
		gemm.Mul(1, matrix, gemm.Of(d, s.Hidden, s.Hidden, x.w), 0, gemm.Of(d, s.Hidden, s.Hidden, y.w))
		if x.bias != nil {
			gemm.Mul(1, matrix, gemm.Of(d, 1, 1, x.bias), 0, gemm.Of(d, 1, 1, y.bias))
		}
	}
}

// turned is exp(x)·b by the series, x skew and small, as a step's is.
func turned(x []float32, b []float64, d int) []float64 {
	wide := make([]float64, len(x))
	for i, v := range x {
		wide[i] = float64(v)
	}
	sum := append([]float64(nil), b...)
	term := b
	for n, largest := 1.0, 1.0; largest > 1e-8 && n < 64; n++ {
		next := make([]float64, len(b))
		gemm.Mul(1/n, gemm.Of(d, d, d, wide), gemm.Of(d, d, d, term), 0, gemm.Of(d, d, d, next))
		largest = 0
		for i, v := range next {
			sum[i] += v
			largest = max(largest, math.Abs(v))
		}
		term = next
	}
	return sum
}

func narrow(x []float64) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = float32(v)
	}
	return out
}
