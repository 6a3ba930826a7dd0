package convert

import (
	"context"
	"fmt"
	"io"

	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
)

// folded writes a projection with heads in a basis of their own: one head at a time is
// held in memory, in float64.
func (w *run) folded(out *safetensors.Writer, t *rewrite.Tensor) error {
	info, section, err := w.section(t.Name)
	if err != nil {
		return err
	}
	r := &foldReader{ctx: w.ctx, from: section, dtype: info.DType, shape: info.Shape, to: t, report: w.report, head: map[int64]int{}}
	for i, f := range t.Folds {
		for _, row := range f.Rows {
			r.head[row] = i
		}
	}
	return out.WriteTensorFrom(t.Name, r)
}

// foldReader reads the folded tensor row by row.
type foldReader struct {
	ctx    context.Context
	from   io.ReaderAt
	dtype  tensor.DType
	shape  []int64
	to     *rewrite.Tensor
	report func(int64)
	head   map[int64]int // the fold that a row belongs to
	row    int64         // the next one
	held   int           // the fold whose rows are in turned, plus 1
	turned map[int64][]float64
	rest   []byte
}

// Read implements io.Reader.
func (r *foldReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	if len(r.rest) == 0 {
		if r.row == r.shape[0] {
			return 0, io.EOF
		}
		if err := r.next(); err != nil {
			return 0, fmt.Errorf("tensor %q: %w", r.to.Name, err)
		}
		r.report(int64(len(r.rest)))
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// next makes the bytes of a row.
func (r *foldReader) next() error {
	i, inside := r.head[r.row]
	var values []float64
	var err error
	switch {
	case !inside:
		values, err = r.stored(r.row)
	case r.held != i+1:
		f := r.to.Folds[i]
		rows := make([][]float64, len(f.Rows))
		for k, row := range f.Rows {
			if rows[k], err = r.stored(row); err != nil {
				return err
			}
		}
		if err := posenc.FoldBasis(rows, f.Q); err != nil {
			return err
		}
		r.held, r.turned = i+1, map[int64][]float64{}
		for k, row := range f.Rows {
			r.turned[row] = rows[k]
		}
		fallthrough
	default:
		values = r.turned[r.row]
	}
	if err != nil {
		return err
	}
	n, err := tensor.ByteSize(r.to.DType, []int64{int64(len(values))})
	if err != nil {
		return err
	}
	r.rest, r.row = make([]byte, n), r.row+1
	return tensor.Encode64(r.rest, values, r.to.DType)
}

// stored reads a row of the source.
func (r *foldReader) stored(row int64) ([]float64, error) {
	from, to, err := tensor.RowBytes(r.dtype, r.shape, row, row+1)
	if err != nil {
		return nil, err
	}
	raw := make([]byte, to-from)
	if _, err := r.from.ReadAt(raw, from); err != nil {
		return nil, err
	}
	n, err := tensor.Count(r.dtype, int64(len(raw)))
	if err != nil {
		return nil, err
	}
	values := make([]float64, n)
	return values, tensor.Decode64(values, raw, r.dtype)
}
