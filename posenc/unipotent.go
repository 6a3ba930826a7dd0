package posenc

import "fmt"

// Unipotent is GRAPE-A's homogeneous form of ALiBi (arXiv 2512.07805, section
// 4): in d + 2 coordinates the bias is a group action,
//
//	q̂ = [q; 1; 0], k̂ = [k; 0; 1], G(n) = exp(nA) = I + nA
//	q̂ᵀ G(j − i) k̂ = <q, k> + (j − i)·Beta
//
// with A zero but for A[d, d+1] = Beta, so A² = 0. Its score has no scale: with
// one, Beta is the slope divided by it.
type Unipotent struct {
	// Dim is the head size d.
	Dim int
	// Beta is the slope in score units per position.
	Beta float64
}

// Generator returns A, (d + 2) × (d + 2).
func (u Unipotent) Generator() Matrix {
	a := NewMatrix(u.Dim+2, u.Dim+2)
	a.Set(u.Dim, u.Dim+1, u.Beta)
	return a
}

// Action returns G(n) = I + nA.
func (u Unipotent) Action(n int64) Matrix {
	g := Identity(u.Dim + 2)
	g.Set(u.Dim, u.Dim+1, float64(n)*u.Beta)
	return g
}

// Query returns G(−i)ᵀq̂ = [q; 1; −i·Beta].
func (u Unipotent) Query(q []float64, pos int64) []float64 {
	return append(u.lift(q), 1, -float64(pos)*u.Beta)
}

// Key returns G(j)k̂ = [k; j·Beta; 1]. Its product with Query's is the score.
func (u Unipotent) Key(k []float64, pos int64) []float64 {
	return append(u.lift(k), float64(pos)*u.Beta, 1)
}

func (u Unipotent) lift(x []float64) []float64 {
	if len(x) != u.Dim {
		panic(fmt.Sprintf("posenc: Unipotent: %d coordinates for head size %d", len(x), u.Dim))
	}
	return append(make([]float64, 0, u.Dim+2), x...)
}
