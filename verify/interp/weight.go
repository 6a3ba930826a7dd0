package interp

import (
	"fmt"
	"io"
	"sync"

	"github.com/pecvt/pecvt/convert/tensor"
)

// weight is an initializer that has not been decoded: raw little-endian
// elements in memory or in a file.
type weight struct {
	name   string
	dtype  tensor.DType
	shape  []int
	half   bool        // elements are 4 bits of a byte, the first one low
	as     floatType   // of floats, where not 0: rounded to it when decoded
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
func (w *weight) lazy() *Array {
	return &Array{Shape: w.shape, Kind: w.kind(), of: typeOf(w.dtype), exact: true, weight: w}
}

// chunk is how many elements are read from a file at a time.
const chunk = 1 << 16

var buffers = sync.Pool{New: func() any { return new([8 * chunk]byte) }}

// decodeInto decodes the elements [from, from+n), a chunk at a time: to gets
// where in the piece each chunk begins, and its bytes.
func (w *weight) decodeInto(from, n int, to func(at int, raw []byte) error) error {
	size := w.dtype.Size()
	buf := buffers.Get().(*[8 * chunk]byte)
	defer buffers.Put(buf)
	for at := 0; at < n; at += chunk {
		begin, bytes := (from+at)*size, min(chunk, n-at)*size
		var raw []byte
		if w.file == nil {
			raw = w.raw[begin : begin+bytes]
		} else {
			raw = buf[:bytes]
			if _, err := w.file.ReadAt(raw, w.offset+int64(begin)); err != nil {
				return fmt.Errorf("initializer %q: reading external data: %w", w.name, err)
			}
		}
		if err := to(at, raw); err != nil {
			return fmt.Errorf("initializer %q: %w", w.name, err)
		}
	}
	return nil
}

// floats decodes the elements [from, from+len(dst)) of a float weight.
func (w *weight) floats(dst []float64, from int) error {
	return w.decodeInto(from, len(dst), func(at int, raw []byte) error {
		to := dst[at : at+len(raw)/w.dtype.Size()]
		if err := tensor.Decode64(to, raw, w.dtype); err != nil || w.as == 0 {
			return err
		}
		return tensor.Round64(to, to, tensor.DType(w.as-1))
	})
}

// ints decodes a weight of integers, or of bools as 0 and 1.
func (w *weight) ints(dst []int64) error {
	if w.half {
		return w.halves(dst)
	}
	return w.decodeInto(0, len(dst), func(at int, raw []byte) error {
		return tensor.DecodeInt64(dst[at:at+len(raw)/w.dtype.Size()], raw, w.dtype)
	})
}

// halves decodes a weight of 4-bit integers.
func (w *weight) halves(dst []int64) error {
	return w.decodeInto(0, (len(dst)+1)/2, func(at int, raw []byte) error {
		for i, b := range raw {
			for j, code := range []byte{b & 15, b >> 4} {
				if k := 2*(at+i) + j; k < len(dst) {
					dst[k] = int64(code)
					if w.dtype == tensor.I8 {
						dst[k] = int64(int8(code<<4) >> 4)
					}
				}
			}
		}
		return nil
	})
}

// decode is the whole weight as an ordinary Array.
func (w *weight) decode() (*Array, error) {
	a, err := newArray(w.kind(), w.shape...)
	if err != nil {
		return nil, fmt.Errorf("initializer %q: %w", w.name, err)
	}
	a.of, a.exact = typeOf(w.dtype), w.as == 0
	if a.Kind == Float {
		return a, w.floats(a.F, 0)
	}
	ints := a.I
	if a.Kind == Bool {
		ints = make([]int64, a.Len())
	}
	if err := w.ints(ints); err != nil {
		return nil, err
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
	d.Shape, d.of, d.exact = a.Shape, a.of, a.exact
	return d, nil
}

// rows decodes the elements [from, from+len(dst)) of a float Array, or points
// at them: the result is dst or a piece of a.F, to be read only.
func (a *Array) rows(dst []float64, from int) ([]float64, error) {
	if a.weight == nil {
		return a.F[from : from+len(dst)], nil
	}
	return dst, a.weight.floats(dst, from)
}
