package ref

import (
	"context"

	"github.com/pecvt/pecvt/convert/family"
)

// linear computes y = x Wᵀ + b for n rows of x, (n, in), into y, (n, out).
func (r *RunnerOf[T]) linear(ctx context.Context, l *family.Linear, x []T, n int, y []T, work *scratch[T]) error {
	if r.observe != nil {
		if skip, err := r.observe(l, x[:n*int(l.Weight.Shape[1])]); skip || err != nil {
			return err
		}
	}
	w, err := r.open(l.Weight)
	if err != nil {
		return err
	}
	bias, err := r.vector(l.Bias)
	if err != nil {
		return err
	}
	in, out := w.cols, w.rows
	blockRows := tile[T](in, out)
	blocks := (out + blockRows - 1) / blockRows
	err = parallel(ctx, blocks, n*in*out < smallWork, func(worker, i int) error {
		begin, end := i*blockRows, min((i+1)*blockRows, out)
		buf := work.decoded.get(worker, blockRows*in)[:(end-begin)*in]
		if err := decode(&w, buf, begin, end); err != nil {
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
