package family

import (
	"iter"
	"slices"

	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
)

// Range is the half-open range of rows [Begin, End).
type Range struct{ Begin, End int64 }

// JoinRanges joins ranges that follow one another: the same rows in the same order, in as
// few ranges as can be.
func JoinRanges(rows []Range) []Range {
	var runs []Range
	for _, r := range rows {
		if n := len(runs); n > 0 && runs[n-1].End == r.Begin {
			runs[n-1].End = r.End
			continue
		}
		runs = append(runs, r)
	}
	return runs
}

// Weight is a logical weight: a stored tensor, or some of its rows.
type Weight struct {
	// Tensor is the stored tensor's name.
	Tensor string
	// Shape is the logical shape, (out, in) or (n).
	Shape []int64
	// Rows are the stored rows that make up the weight, in order; nil is all. Of a
	// tensor of more dimensions they are those of [tensor.Matrix].
	Rows []Range
	// Columns, where not nil, are those of these rows that make up the weight.
	Columns *Columns
	// Stored is the stored tensor's shape.
	Stored []int64
}

// Source gives access to stored tensors; every store is one.
type Source = store.Reader

// Bytes returns the weight's elements as stored, little-endian, row by row. A weight
// that is the whole tensor, or one run of its rows, is not copied and must not be
// written to. Rows or columns that the tensor does not have, or that cut a block of a
// block format, are an error.
func (w Weight) Bytes(src Source) ([]byte, tensor.DType, error) {
	raw, d, err := w.rows(src)
	if err == nil && w.Columns != nil {
		if raw, err = w.Columns.of(raw, d, w.Width()); err != nil {
			err = store.Errorf(src, w.Tensor, "%w", err)
		}
	}
	return raw, d, err
}

// rows returns the elements of the weight's stored rows.
func (w Weight) rows(src Source) ([]byte, tensor.DType, error) {
	info, ok := src.Lookup(w.Tensor)
	if !ok {
		return nil, 0, store.Missing(src, w.Tensor)
	}
	if w.Rows == nil {
		raw, err := store.Bytes(src, w.Tensor)
		return raw, info.DType, err
	}
	var out []byte
	for _, r := range w.Rows {
		from, to, err := tensor.RowBytes(info.DType, tensor.Matrix(info.Shape), r.Begin, r.End)
		if err != nil {
			return nil, 0, store.Errorf(src, w.Tensor, "%w", err)
		}
		raw, err := src.Read(w.Tensor, from, to)
		if err != nil || len(w.Rows) == 1 {
			return raw, info.DType, err
		}
		out = append(out, raw...)
	}
	return out, info.DType, nil
}

// Float64 returns the weight's elements decoded into a fresh slice.
func (w Weight) Float64(src Source) ([]float64, error) { return decoded[float64](w, src) }

// Float32 is [Weight.Float64] to float32; see [tensor.Decode32] for what it rounds.
func (w Weight) Float32(src Source) ([]float32, error) { return decoded[float32](w, src) }

func decoded[T float32 | float64](w Weight, src Source) ([]T, error) {
	raw, dtype, err := w.Bytes(src)
	if err != nil {
		return nil, err
	}
	n, err := tensor.Count(dtype, int64(len(raw)))
	if err != nil {
		return nil, store.Errorf(src, w.Tensor, "%w", err)
	}
	out := make([]T, n)
	return out, Decode(w, src, out, raw, dtype)
}

// Decode makes numbers of a weight's bytes: raw, of type d, is decoded to dst.
func Decode[T float32 | float64](w Weight, src Source, dst []T, raw []byte, d tensor.DType) error {
	var err error
	switch dst := any(dst).(type) {
	case []float64:
		err = tensor.Decode64(dst, raw, d)
	case []float32:
		err = tensor.Decode32(dst, raw, d)
	}
	if err != nil {
		return store.Errorf(src, w.Tensor, "%w", err)
	}
	return nil
}

// Weights lists every weight the model reads; see [Model.EachWeight].
func (m *Model) Weights() []Weight { return slices.Collect(m.EachWeight()) }

// EachWeight walks every weight the model reads, in the order of Parts; a tensor
// that serves twice, such as a tied head, comes twice.
func (m *Model) EachWeight() iter.Seq[Weight] {
	return func(yield func(Weight) bool) {
		for r := range m.eachRole() {
			if !yield(*r.Weight) {
				return
			}
		}
	}
}

// eachRole walks the weights as the parts use them.
func (m *Model) eachRole() iter.Seq[Role] {
	return func(yield func(Role) bool) {
		for p := range m.EachPart() {
			for _, r := range p.Weights {
				if !yield(r) {
					return
				}
			}
		}
	}
}

// StoredRow maps a row of the weight to the row of its stored tensor.
func (w Weight) StoredRow(row int64) int64 {
	for _, r := range w.Rows {
		if n := r.End - r.Begin; row >= n {
			row -= n
			continue
		}
		return r.Begin + row
	}
	return row
}

// Between is rows [begin, end) of a weight that takes all columns.
func (w Weight) Between(begin, end int64) Weight {
	part := w
	part.Shape = append([]int64{end - begin}, w.Shape[1:]...)
	if w.Rows == nil {
		part.Rows = []Range{{begin, end}}
		return part
	}
	part.Rows = nil
	for _, r := range w.Rows {
		n := r.End - r.Begin
		if from, to := max(begin, 0), min(end, n); from < to {
			part.Rows = append(part.Rows, Range{r.Begin + from, r.Begin + to})
		}
		begin, end = begin-n, end-n
	}
	return part
}
