package posenc

import (
	"fmt"
	"math"
	"sort"
)

// basisTolerance is how far BᵀB may be from I: weights stored in float32 are
// off by about 1e-7 per element. What is left shows in the scores of the folded
// model, so it is kept near a float32 model's own rounding.
const basisTolerance = 1e-5

// Based is R(t) = B · inner(t) · Bᵀ: planes in a learned orthogonal basis
// (GRAPE-M, arXiv 2512.07805, section 3), or a generator brought to planes.
type Based struct {
	// Basis is B, d × d with orthonormal columns.
	Basis Matrix
	// Inner turns coordinates of the basis.
	Inner Rotation
}

// NewBased checks that the basis is orthonormal (to 1e-5) and fits, and takes the
// nearest one that is so in float64.
func NewBased(basis Matrix, inner Rotation) (Based, error) {
	d := inner.Size()
	if err := basis.check(d, d); err != nil {
		return Based{}, fmt.Errorf("basis: %w", err)
	}
	if off := basis.Orthogonality(); off > basisTolerance {
		return Based{}, fmt.Errorf("basis: BᵀB differs from I by %.3g: expected orthonormal columns (to %g); it cannot be folded away", off, basisTolerance)
	}
	return Based{Basis: basis.Orthonormal(), Inner: inner}, nil
}

// Size returns the head size d.
func (b Based) Size() int { return b.Basis.Rows }

// Axes returns how many numbers a place has.
func (b Based) Axes() int { return b.Inner.Axes() }

// Turn replaces x by B·inner(t)·Bᵀx.
func (b Based) Turn(x []float64, head int, at []float64) {
	mustFit("Based.Turn", x, b.Size(), at, b.Axes())
	y := b.Basis.T().Apply(x)
	b.Inner.Turn(y, head, at)
	copy(x, b.Basis.Apply(y))
}

// Lower joins the basis with the inner rotation's own.
func (b Based) Lower(head int) PlaneForm {
	inner := b.Inner.Lower(head)
	basis := b.Basis
	if inner.Basis != nil {
		basis = basis.Mul(*inner.Basis)
	}
	return PlaneForm{Basis: &basis, Planes: inner.Planes}
}

// FoldBasis replaces the rows of one head's projection W (d rows of any one
// length; a bias vector is d rows of length 1) by BᵀW, in place. Done to W_q of
// every head that reads a key/value head and to its W_k, it is exact: B cancels
// in <q, k>. A per-head norm between projection and rotation must have one
// weight for all coordinates (or none), or B does not pass through it.
func FoldBasis(rows [][]float64, basis Matrix) error {
	if len(rows) != basis.Rows || basis.Rows != basis.Cols {
		return fmt.Errorf("fold basis: %d rows for a basis of shape (%d, %d): expected one head's rows and a square basis", len(rows), basis.Rows, basis.Cols)
	}
	width := len(rows[0])
	for i, r := range rows {
		if len(r) != width {
			return fmt.Errorf("fold basis: row %d has %d numbers, row 0 has %d", i, len(r), width)
		}
	}
	column := make([]float64, len(rows))
	for c := range width {
		for i := range column {
			column[i] = 0
		}
		for k, r := range rows {
			for i, v := range basis.Row(k) {
				column[i] += v * r[c]
			}
		}
		for i := range rows {
			rows[i][c] = column[i]
		}
	}
	return nil
}

// Reversed returns the rotation by −θ: every inverse frequency negated.
func (r Rotary) Reversed() Rotary {
	r.Spectrum = r.Spectrum.Clone()
	for p, f := range r.InvFreq {
		if f != 0 { // no −0: position-independent planes stay what they are
			r.InvFreq[p] = -f
		}
	}
	return r
}

// completed returns the d × d matrix whose first columns are the given
// orthonormal vectors and whose others complete them to a basis.
func completed(columns [][]float64, d int) Matrix {
	cols := append([][]float64(nil), columns...)
	left := make([]float64, d) // left[i]: squared length of e_i outside the span
	for i := range left {
		left[i] = 1
		for _, c := range cols {
			left[i] -= c[i] * c[i]
		}
	}
	for len(cols) < d {
		best := 0
		for i, v := range left {
			if v > left[best] {
				best = i
			}
		}
		x := make([]float64, d)
		x[best] = 1
		for range 2 { // twice: the second pass removes the first one's rounding
			for _, c := range cols {
				orthogonalize(x, c)
			}
			x = scaled(x, 1/norm(x))
		}
		for i, v := range x {
			left[i] -= v * v
		}
		cols = append(cols, x)
	}
	m := NewMatrix(d, d)
	for j, c := range cols {
		for i, v := range c {
			m.Set(i, j, v)
		}
	}
	return m
}

// order returns the indices of v, largest first, equal ones as they stand.
func order(v []float64) []int {
	out := make([]int, len(v))
	for i := range out {
		out[i] = i
	}
	sort.SliceStable(out, func(a, b int) bool { return v[out[a]] > v[out[b]] })
	return out
}

// maxAbs returns the largest magnitude in m.
func maxAbs(m Matrix) float64 {
	worst := 0.0
	for _, v := range m.Data {
		worst = max(worst, math.Abs(v))
	}
	return worst
}
