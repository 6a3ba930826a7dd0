package ref

import (
	"context"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"

	"github.com/pecvt/pecvt/convert/family"
)

const (
	// blockRows is how many rows of W are decoded and multiplied at a time: few
	// enough for a core's own cache, enough to read each activation seldom.
	blockRows = 16
	// blockTokens bounds the rows of x in one product, so that gonum runs it on
	// the calling goroutine: the parallelism is over rows of W, decoding included.
	blockTokens = 128
)

// linear computes y = x Wᵀ + b for n rows of x, (n, in), into y, (n, out).
func (r *Runner) linear(ctx context.Context, l *family.Linear, x []float64, n int, y []float64, work *scratch) error {
	w, err := r.open(l.Weight)
	if err != nil {
		return err
	}
	bias, err := r.vector(l.Bias)
	if err != nil {
		return err
	}
	in, out := w.cols, w.rows
	blocks := (out + blockRows - 1) / blockRows
	err = parallel(ctx, blocks, n*in*out < smallWork, func(worker, i int) error {
		begin, end := i*blockRows, min((i+1)*blockRows, out)
		buf := work.decoded.get(worker, blockRows*in)[:(end-begin)*in]
		if err := w.decode(buf, begin, end); err != nil {
			return err
		}
		product(x, n, in, buf, end-begin, y[begin:], out)
		for t := 0; bias != nil && t < n; t++ {
			for j := begin; j < end; j++ {
				y[t*out+j] += bias[j]
			}
		}
		return nil
	})
	r.release(l.Weight)
	return err
}

// product writes x Wᵀ for x (n, in) and w (rows, in) to y, whose rows are
// stride apart.
func product(x []float64, n, in int, w []float64, rows int, y []float64, stride int) {
	b := blas64.General{Rows: rows, Cols: in, Stride: in, Data: w}
	for t := 0; t < n; t += blockTokens {
		m := min(blockTokens, n-t)
		blas64.Gemm(blas.NoTrans, blas.Trans, 1,
			blas64.General{Rows: m, Cols: in, Stride: in, Data: x[t*in : (t+m)*in]}, b, 0,
			blas64.General{Rows: m, Cols: rows, Stride: stride, Data: y[t*stride:]})
	}
}
