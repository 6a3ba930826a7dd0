package interp

import (
	"context"

	"github.com/pecvt/pecvt/convert/gemm"
)

// rightRows is how many rows of the right-hand matrix are decoded at a time, for
// one core to multiply.
const rightRows = 32

// matrix is the right-hand side of a product, seen as rows that the rows of
// the left-hand side are multiplied with: y = x wᵀ.
type matrix struct {
	rows, cols int
	a          *Array // whose elements from offset on hold it
	offset     int
	across     bool   // a holds it transposed: (cols, rows)
	codes      *codes // in place of a
}

// right is rows [from, from+n) of w as columns; buf has room for them.
func (w *matrix) right(buf []float64, from, n int) (gemm.View[float64], error) {
	if w.across {
		return gemm.Of(w.cols, n, w.rows, w.a.F[w.offset+from:]), nil
	}
	buf = buf[:n*w.cols]
	var err error
	if w.codes != nil {
		err = w.codes.decode(buf, from, n)
	} else {
		buf, err = w.a.rows(buf, w.offset+from*w.cols)
	}
	if err != nil {
		return gemm.View[float64]{}, err
	}
	return gemm.Of(n, w.cols, w.cols, buf).T(), nil
}

// product adds alpha x wᵀ to y: x is (m, w.cols), y is (m, w.rows), both dense.
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
			right, err := w.right(buf, from, n)
			if err != nil {
				return err
			}
			gemm.Mul(alpha, gemm.Of(m, w.cols, w.cols, x), right, 1, gemm.Of(m, n, w.rows, y[from:]))
			return nil
		}
	})
}
