package retrofit

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/blas/blas64"

	"github.com/pecvt/pecvt/convert/tensor"
)

// Float is the arithmetic of a computation: float32 in production, float64
// where derivatives are checked.
type Float interface{ float32 | float64 }

// mulT computes c = alpha·a·bᵀ + beta·c for a (m, k), b (n, k) and c (m, n),
// row-major with the given strides. Every product here has this form: dot
// products over contiguous rows are the fastest that gonum has, and each
// element is summed in one order however many cores there are.
func mulT[F Float](m, n, k int, alpha F, a []F, lda int, b []F, ldb int, beta F, c []F, ldc int) {
	if m == 0 || n == 0 {
		return
	}
	switch a := any(a).(type) {
	case []float32:
		blas32.Implementation().Sgemm(blas.NoTrans, blas.Trans, m, n, k, float32(alpha), a, lda, any(b).([]float32), ldb, float32(beta), any(c).([]float32), ldc)
	case []float64:
		blas64.Implementation().Dgemm(blas.NoTrans, blas.Trans, m, n, k, float64(alpha), a, lda, any(b).([]float64), ldb, float64(beta), any(c).([]float64), ldc)
	}
}

// transpose writes the transposed of src (rows, cols; stride ld) to dst
// (cols, rows; stride to), block by block.
func transpose[F Float](dst []F, to int, src []F, ld, rows, cols int) {
	const block = 32
	for i0 := 0; i0 < rows; i0 += block {
		for j0 := 0; j0 < cols; j0 += block {
			for i := i0; i < min(i0+block, rows); i++ {
				row := src[i*ld:]
				for j := j0; j < min(j0+block, cols); j++ {
					dst[j*to+i] = row[j]
				}
			}
		}
	}
}

// softmax replaces scores by their softmax beside one more score, −∞ for none, and
// returns log Σ exp(score), that one's included.
func softmax[F Float](x []F, sink float64) float64 {
	top := max(x[0], F(sink))
	for _, v := range x {
		top = max(top, v)
	}
	sum := math.Exp(sink - float64(top))
	switch x := any(x).(type) {
	case []float32:
		for i, v := range x {
			e := tensor.Exp32(v - float32(top))
			x[i] = e
			sum += float64(e)
		}
		scale := float32(1 / sum)
		for i := range x {
			x[i] *= scale
		}
	case []float64:
		for i, v := range x {
			e := math.Exp(v - float64(top))
			x[i] = e
			sum += e
		}
		for i := range x {
			x[i] /= sum
		}
	}
	return float64(top) + math.Log(sum)
}
