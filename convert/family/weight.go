package family

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/tensor"
)

// Range is the half-open range of rows [Begin, End).
type Range struct{ Begin, End int64 }

// Weight is a logical weight: a stored tensor, or some of its rows.
type Weight struct {
	// Tensor is the stored tensor's name.
	Tensor string
	// Shape is the logical shape, (out, in) or (n).
	Shape []int64
	// Rows are the stored rows that make up the weight, in order; nil is all.
	Rows []Range
	// Stored is the stored tensor's shape.
	Stored []int64
}

// Source gives access to stored tensors; *safetensors.Checkpoint is one.
type Source interface {
	Lookup(name string) (safetensors.Info, *safetensors.File, bool)
	Bytes(name string) ([]byte, error)
}

// Bytes returns the weight's elements as stored, little-endian, row by row.
// A weight that is the whole tensor is not copied and must not be written to.
func (w Weight) Bytes(src Source) ([]byte, tensor.DType, error) {
	info, _, ok := src.Lookup(w.Tensor)
	if !ok {
		return nil, 0, fmt.Errorf("tensor %q is not in the checkpoint", w.Tensor)
	}
	raw, err := src.Bytes(w.Tensor)
	if err != nil || w.Rows == nil {
		return raw, info.DType, err
	}
	row := int64(len(raw)) / w.Stored[0]
	var out []byte
	for _, r := range w.Rows {
		if r.Begin < 0 || r.End < r.Begin || r.End > w.Stored[0] {
			return nil, 0, fmt.Errorf("tensor %q: rows %d to %d of %d", w.Tensor, r.Begin, r.End, w.Stored[0])
		}
		if len(w.Rows) == 1 {
			return raw[r.Begin*row : r.End*row], info.DType, nil
		}
		out = append(out, raw[r.Begin*row:r.End*row]...)
	}
	return out, info.DType, nil
}

// Float64 returns the weight's elements decoded into a fresh slice.
func (w Weight) Float64(src Source) ([]float64, error) {
	raw, dtype, err := w.Bytes(src)
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(raw)/dtype.Size())
	if err := tensor.Decode64(out, raw, dtype); err != nil {
		return nil, fmt.Errorf("tensor %q: %w", w.Tensor, err)
	}
	return out, nil
}

// Weights lists every weight the model reads, in the order of Parts; a tensor
// that serves twice, such as a tied head, is listed twice.
func (m *Model) Weights() []Weight {
	var list []Weight
	for _, p := range m.Parts() {
		for _, w := range p.Weights {
			list = append(list, *w.Weight)
		}
	}
	return list
}
