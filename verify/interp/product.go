package interp

import (
	"context"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// Blocks of the matrix product: so many rows of the right-hand matrix are
// decoded at a time and meet so many rows of the left-hand one. Below both,
// gonum stays on one core and its dot products keep to the cache.
const (
	rightRows = 32
	leftRows  = 128
)

// matrix is the right-hand side of a product, seen as rows that the rows of
// the left-hand side are multiplied with: y = x wᵀ.
type matrix struct {
	rows, cols int
	a          *Array // whose elements from offset on hold it
	offset     int
	across     bool   // a holds it transposed: (cols, rows)
	codes      *codes // in place of a
}

// block is rows [from, from+n) of w; buf has room for them.
func (w *matrix) block(buf []float64, from, n int) ([]float64, error) {
	buf = buf[:n*w.cols]
	if w.codes != nil {
		return buf, w.codes.decode(buf, from, n)
	}
	if !w.across {
		return w.a.rows(buf, w.offset+from*w.cols)
	}
	src := w.a.F[w.offset:]
	for j := range w.cols {
		for i, x := range src[j*w.rows+from : j*w.rows+from+n] {
			buf[i*w.cols+j] = x
		}
	}
	return buf, nil
}

// product adds alpha x wᵀ to y: x is (m, w.cols), y is (m, w.rows), both dense.
// It always takes dot products of rows: gonum's other forms skip zeros, and 0
// times an infinite weight must come out as NaN.
func product(ctx context.Context, y []float64, alpha float64, x []float64, m int, w matrix) error {
	if m == 0 || w.rows == 0 || w.cols == 0 {
		return nil
	}
	if w.across && w.a.weight != nil {
		dense, err := w.a.dense()
		if err != nil {
			return err
		}
		w.a = dense
	}
	tasks := (w.rows + rightRows - 1) / rightRows
	return parallel(ctx, tasks, func() func(int) error {
		buf := make([]float64, rightRows*w.cols)
		return func(task int) error {
			from := task * rightRows
			n := min(rightRows, w.rows-from)
			block, err := w.block(buf, from, n)
			if err != nil {
				return err
			}
			for top := 0; top < m; top += leftRows {
				rows := min(leftRows, m-top)
				dot(rows, n, w.cols, alpha, x[top*w.cols:], w.cols, block, w.cols, 1, y[top*w.rows+from:], w.rows)
			}
			return nil
		}
	})
}

// dot is y = alpha x wᵀ + beta y: x is (m, k), w (n, k), y (m, n). It leaves y
// alone when any of them is 0.
func dot(m, n, k int, alpha float64, x []float64, xs int, w []float64, ws int, beta float64, y []float64, ys int) {
	if m == 0 || n == 0 || k == 0 {
		return
	}
	blas64.Gemm(blas.NoTrans, blas.Trans, alpha,
		blas64.General{Rows: m, Cols: k, Stride: xs, Data: x},
		blas64.General{Rows: n, Cols: k, Stride: ws, Data: w},
		beta,
		blas64.General{Rows: m, Cols: n, Stride: ys, Data: y})
}
