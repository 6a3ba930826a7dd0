package compensate

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack/lapack64"

	"github.com/pecvt/pecvt/convert/gemm"
)

// Damping is λ: what is added to the diagonal, as a share of its mean.
const Damping = 0.01

// Moments are Σ x xᵀ over the inputs of one linear map.
type Moments struct {
	n, rows int
	sum     []float32 // (n, n)
}

// NewMoments are those of no input of n numbers.
func NewMoments(n int) *Moments { return &Moments{n: n, sum: make([]float32, n*n)} }

// Size is the number of columns, Rows how many inputs were added.
func (m *Moments) Size() int { return m.n }
func (m *Moments) Rows() int { return m.rows }

// Add adds inputs, (rows, n).
func (m *Moments) Add(x []float32) error {
	if len(x)%m.n != 0 {
		return fmt.Errorf("inputs of %d numbers: expected rows of %d", len(x), m.n)
	}
	rows := len(x) / m.n
	v := gemm.Of(rows, m.n, m.n, x)
	gemm.Share(1, v.T(), v, 1, gemm.Of(m.n, m.n, m.n, m.sum))
	m.rows += rows
	return nil
}

// factor is U, upper triangular by rows, for the moments damped by a share of their mean.
// A column that no input ever met, the sum of whose squares is 0, stands for itself.
func (m *Moments) factor(damping float64) ([]float64, error) {
	n := m.n
	mean := 0.0
	for j := range n {
		mean += float64(m.sum[j*n+j]) / float64(n)
	}
	if math.IsNaN(mean) || math.IsInf(mean, 0) {
		return nil, fmt.Errorf("inputs whose squares are %v on the mean: expected finite numbers", mean)
	}
	// M Mᵀ with M upper triangular is the Cholesky factor of the matrix turned around
	a := make([]float64, n*n)
	for i := range n {
		for j := range n {
			a[(n-1-i)*n+n-1-j] = (float64(m.sum[i*n+j]) + float64(m.sum[j*n+i])) / 2
		}
	}
	for j := range n {
		d := &a[j*n+j]
		if *d == 0 {
			*d = max(mean, 1)
		}
		*d += damping * mean
	}
	if _, ok := lapack64.Potrf(blas64.Symmetric{Uplo: blas.Lower, N: n, Data: a, Stride: n}); !ok {
		return nil, fmt.Errorf("the moments of %d inputs of %d numbers have no factor with damping %v: expected more inputs, or more damping", m.rows, n, damping)
	}
	if !lapack64.Trtri(blas64.Triangular{Uplo: blas.Lower, Diag: blas.NonUnit, N: n, Data: a, Stride: n}) {
		return nil, fmt.Errorf("the moments of %d inputs have a singular factor", m.rows)
	}
	u := make([]float64, n*n)
	for i := range n {
		for j := i; j < n; j++ {
			u[i*n+j] = a[(n-1-i)*n+n-1-j]
		}
	}
	return u, nil
}
