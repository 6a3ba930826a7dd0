package interp

import (
	"fmt"
	"io"

	"github.com/pecvt/pecvt/convert/tensor"
)

// weight is an initializer that has not been decoded: raw little-endian
// elements in memory or in a file.
type weight struct {
	name   string
	dtype  tensor.DType
	shape  []int
	raw    []byte      // inline data, or
	file   io.ReaderAt // external data
	offset int64
}

func (w *weight) kind() Kind { return kindOf(w.dtype) }

func kindOf(d tensor.DType) Kind {
	switch {
	case d.IsFloat():
		return Float
	case d == tensor.Bool:
		return Bool
	default:
		return Int
	}
}

// lazy is an Array whose elements are still those of w.
func (w *weight) lazy() *Array { return &Array{Shape: w.shape, Kind: w.kind(), weight: w} }

// bytes of the elements [from, from+n).
func (w *weight) bytes(from, n int) ([]byte, error) {
	size := w.dtype.Size()
	if w.file == nil {
		return w.raw[from*size : (from+n)*size], nil
	}
	buf := make([]byte, n*size)
	if _, err := w.file.ReadAt(buf, w.offset+int64(from)*int64(size)); err != nil {
		return nil, fmt.Errorf("initializer %q: reading external data: %w", w.name, err)
	}
	return buf, nil
}

// floats decodes the elements [from, from+len(dst)) of a float weight.
func (w *weight) floats(dst []float64, from int) error {
	raw, err := w.bytes(from, len(dst))
	if err != nil {
		return err
	}
	if err := tensor.Decode64(dst, raw, w.dtype); err != nil {
		return fmt.Errorf("initializer %q: %w", w.name, err)
	}
	return nil
}

// decode is the whole weight as an ordinary Array.
func (w *weight) decode() (*Array, error) {
	a, err := newArray(w.kind(), w.shape...)
	if err != nil {
		return nil, fmt.Errorf("initializer %q: %w", w.name, err)
	}
	if a.Kind == Float {
		return a, w.floats(a.F, 0)
	}
	raw, err := w.bytes(0, a.Len())
	if err != nil {
		return nil, err
	}
	ints := a.I
	if a.Kind == Bool {
		ints = make([]int64, a.Len())
	}
	if err := tensor.DecodeInt64(ints, raw, w.dtype); err != nil {
		return nil, fmt.Errorf("initializer %q: %w", w.name, err)
	}
	for i := range a.B {
		a.B[i] = ints[i] != 0
	}
	return a, nil
}

// dense is a with its elements decoded.
func (a *Array) dense() (*Array, error) {
	if a == nil || a.weight == nil {
		return a, nil
	}
	d, err := a.weight.decode()
	if err != nil {
		return nil, err
	}
	return d.reshaped(a.Shape), nil
}

// rows decodes the elements [from, from+len(dst)) of a float Array, or points
// at them: the result is dst or a piece of a.F, to be read only.
func (a *Array) rows(dst []float64, from int) ([]float64, error) {
	if a.weight == nil {
		return a.F[from : from+len(dst)], nil
	}
	return dst, a.weight.floats(dst, from)
}
