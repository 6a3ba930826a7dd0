package posenc

import (
	"fmt"
	"math"
)

// vanishing is the length, of matrices whose largest element is 1, below which a vector
// counts as 0.
const vanishing = 1e-150

// SkewPlanes brings a real skew-symmetric L (n × n, radians per position) to
// planes: its real Schur form. It returns B with orthonormal columns and the
// n/2 inverse frequencies, largest first and none negative, such that
//
//	exp(tL) = B · planes(t) · Bᵀ
//
// where plane p pairs column p with column p + n/2 (halves) and turns by
// +θ_p t; an odd n leaves the last column untouched. L may differ from −Lᵀ by
// rounding (1e-6 of its largest element); its skew part is used.
//
// The method: Householder reflections bring L to skew tridiagonal form T. T
// couples even coordinates with odd ones alone, by a bidiagonal matrix C, and
// the singular vectors of C (u even, v odd, T v = σ u, T u = −σ v) are the
// planes. Nothing is squared, so slow planes keep their digits.
func SkewPlanes(l Matrix) (basis Matrix, invFreq []float64, err error) {
	n := l.Rows
	if err := l.check(n, n); err != nil {
		return Matrix{}, nil, fmt.Errorf("skew generator: %w", err)
	}
	largest := maxAbs(l)
	limit := 1e-6 * largest
	if largest == 0 {
		largest = 1
	}
	a := NewMatrix(n, n)
	for i := range n {
		for j := range n {
			if off := math.Abs(l.At(i, j) + l.At(j, i)); off > limit {
				return Matrix{}, nil, fmt.Errorf("skew generator: L[%d,%d] + L[%d,%d] = %.3g: expected L = −Lᵀ", i, j, j, i, off)
			}
			// of unit size, so that products of small elements do not vanish
			a.Set(i, j, (l.At(i, j)-l.At(j, i))/2/largest)
		}
	}
	q := tridiagonalize(a)
	even, odd := (n+1)/2, n/2
	c := NewMatrix(even, odd)
	for k := range even {
		if k < odd {
			c.Set(k, k, a.At(2*k, 2*k+1))
		}
		if k > 0 {
			c.Set(k, k-1, a.At(2*k, 2*k-1))
		}
	}
	u, sigma, v := jacobiSVD(c)
	basis, invFreq = NewMatrix(n, n), make([]float64, odd)
	for to, p := range order(sigma) {
		invFreq[to] = sigma[p] * largest
		for i := range n {
			first, second := 0.0, 0.0
			for k := range odd {
				first += q.At(i, 2*k+1) * v.At(k, p)
			}
			for k := range even {
				second += q.At(i, 2*k) * u.At(k, p)
			}
			// L v = σ u and L u = −σ v: exp(tL) takes v towards u, Hugging
			// Face's +θ with v first
			basis.Set(i, to, first)
			basis.Set(i, to+odd, second)
		}
	}
	if even > odd {
		for i := range n {
			last := 0.0
			for k := range even {
				last += q.At(i, 2*k) * u.At(k, odd)
			}
			basis.Set(i, n-1, last)
		}
	}
	return basis, invFreq, nil
}

// tridiagonalize replaces the skew matrix a by T = Qᵀ a Q, which is zero beside
// its two off-diagonals, and returns Q.
func tridiagonalize(a Matrix) Matrix {
	n := a.Rows
	q := Identity(n)
	for k := range max(n-2, 0) {
		v := make([]float64, n)
		for i := k + 1; i < n; i++ {
			v[i] = a.At(i, k)
		}
		length := norm(v)
		if length < vanishing { // its inverse, of denormals, would be no number
			continue
		}
		v[k+1] += math.Copysign(length, v[k+1])
		v = scaled(v, 1/norm(v))
		// H = I − 2vvᵀ; vᵀav = 0, so HaH = a + vwᵀ − wvᵀ with w = 2av
		w := scaled(a.Apply(v), 2)
		for i := range n {
			row := a.Row(i)
			for j := range row {
				row[j] += v[i]*w[j] - w[i]*v[j]
			}
		}
		for i := range n {
			row := q.Row(i)
			c := 2 * innerProduct(row, v)
			for j := range row {
				row[j] -= c * v[j]
			}
		}
		for i := k + 2; i < n; i++ {
			a.Set(i, k, 0)
			a.Set(k, i, 0)
		}
	}
	return q
}

// jacobiSVD returns c = u·diag(sigma)·vᵀ for a matrix with at least as many
// rows as columns, by one-sided Jacobi rotations; u is square, its last columns
// complete it where c has more rows, or zero singular values.
func jacobiSVD(c Matrix) (u Matrix, sigma []float64, v Matrix) {
	m, n := c.Rows, c.Cols
	work := make([][]float64, n) // columns of c·v
	vc := make([][]float64, n)
	ct, unit := c.T(), Identity(n)
	for j := range n {
		work[j], vc[j] = ct.Row(j), unit.Row(j)
	}
	// the products' own rounding; ten sweeps are usual, and quadratic
	// convergence makes forty more than any matrix needs
	tolerance := 1.2e-16 * float64(m)
	for sweep, turned := 0, true; turned && sweep < 40; sweep++ {
		turned = false
		for p := range n {
			for q := p + 1; q < n; q++ {
				x, y, z := innerProduct(work[p], work[p]), innerProduct(work[q], work[q]), innerProduct(work[p], work[q])
				if math.Abs(z) <= tolerance*math.Sqrt(x)*math.Sqrt(y) {
					continue
				}
				turned = true
				tau := (y - x) / (2 * z)
				t := math.Copysign(1, tau) / (math.Abs(tau) + math.Hypot(1, tau))
				cos := 1 / math.Hypot(1, t)
				givens(work[p], work[q], cos, cos*t)
				givens(vc[p], vc[q], cos, cos*t)
			}
		}
	}
	sigma = make([]float64, n)
	u, v = NewMatrix(m, m), NewMatrix(n, n)
	var known [][]float64
	var blank []int
	for j := range n {
		for i := range n {
			v.Set(i, j, vc[j][i])
		}
		if sigma[j] = norm(work[j]); sigma[j] < vanishing {
			sigma[j] = 0
			blank = append(blank, j)
			continue
		}
		column := scaled(work[j], 1/sigma[j])
		known = append(known, column)
		for i, x := range column {
			u.Set(i, j, x)
		}
	}
	full := completed(known, m)
	for j := n; j < m; j++ {
		blank = append(blank, j)
	}
	for k, j := range blank {
		for i := range m {
			u.Set(i, j, full.At(i, len(known)+k))
		}
	}
	return u, sigma, v
}

// givens turns the pair of vectors by the angle with this cosine and sine.
func givens(a, b []float64, cos, sin float64) {
	for i, x := range a {
		y := b[i]
		a[i], b[i] = cos*x-sin*y, sin*x+cos*y
	}
}
