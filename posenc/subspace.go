package posenc

import "fmt"

// Subspace is GRAPE-M's non-commuting form (arXiv 2512.07805, section 3):
// L = E L_r Eᵀ with E (d × r) orthonormal and L_r in so(r), in radians per
// position. It is brought to r/2 planes once, so that it runs as partial rotary
// in the basis [E Q, E⊥]. The dense skew generator of LieRE (arXiv 2406.10322)
// for one axis is the case r = d, E = I.
type Subspace struct {
	// L is the generator as given, d × d.
	L Matrix
	// planes is the same rotation, ready to apply.
	planes Based
}

// NewSubspace reduces E L_r Eᵀ to planes, E brought to orthonormal columns in float64.
func NewSubspace(e, lr Matrix) (Subspace, error) {
	d, r := e.Rows, e.Cols
	if err := e.check(d, r); err != nil {
		return Subspace{}, fmt.Errorf("subspace: E: %w", err)
	}
	if r > d || r != lr.Rows || r < 1 {
		return Subspace{}, fmt.Errorf("subspace: E of shape (%d, %d) and L_r of shape (%d, %d): expected (d, r) and (r, r) with r <= d", d, r, lr.Rows, lr.Cols)
	}
	if off := e.Orthogonality(); off > basisTolerance {
		return Subspace{}, fmt.Errorf("subspace: EᵀE differs from I by %.3g: expected orthonormal columns (to %g)", off, basisTolerance)
	}
	e = e.Orthonormal()
	q, inv, err := SkewPlanes(lr)
	if err != nil {
		return Subspace{}, fmt.Errorf("subspace: L_r: %w", err)
	}
	eq := e.Mul(q).T()
	columns := make([][]float64, r)
	for j := range columns {
		columns[j] = eq.Row(j)
	}
	inner := Rotary{Spectrum: Spectrum{InvFreq: inv, Gain: 1}, HeadDim: d, Dim: r / 2 * 2}
	return Subspace{L: e.Mul(lr).Mul(e.T()), planes: Based{Basis: completed(columns, d), Inner: inner}}, nil
}

// NewDense is the rotation exp(tL) of a dense skew generator L (d × d, radians
// per position): LieRE (arXiv 2406.10322) for one axis. Generators of several
// axes do not commute, so they have neither planes nor a relative law.
func NewDense(l Matrix) (Subspace, error) {
	s, err := NewSubspace(Identity(l.Rows), l)
	if err != nil {
		return Subspace{}, fmt.Errorf("dense generator: %w", err)
	}
	s.L = l.Clone()
	return s, nil
}

// SkewFromUpper fills a skew matrix of n rows from its upper triangle, row by
// row: n(n−1)/2 parameters, as LieRE's checkpoints hold them.
func SkewFromUpper(upper []float64, n int) (Matrix, error) {
	if len(upper) != n*(n-1)/2 {
		return Matrix{}, fmt.Errorf("skew generator: %d parameters for %d rows: expected %d", len(upper), n, n*(n-1)/2)
	}
	m := NewMatrix(n, n)
	next := 0
	for i := range n {
		for j := i + 1; j < n; j++ {
			m.Set(i, j, upper[next])
			m.Set(j, i, -upper[next])
			next++
		}
	}
	return m, nil
}

// Size returns the head size d.
func (s Subspace) Size() int { return s.planes.Size() }

// Axes returns 1.
func (s Subspace) Axes() int { return 1 }

// Turn replaces x by exp(tL)x.
func (s Subspace) Turn(x []float64, head int, at []float64) { s.planes.Turn(x, head, at) }

// Lower returns the planes (halves pairing, partial) in the basis [E Q, E⊥].
func (s Subspace) Lower(head int) PlaneForm { return s.planes.Lower(head) }
