//go:build cgo

package ort

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	yalue "github.com/yalue/onnxruntime_go"

	"github.com/pecvt/pecvt/convert/tensor"
)

// values holds the runtime's values of one run, and the Go memory they point
// into, until the run is over.
type values struct {
	all  []yalue.Value
	pins runtime.Pinner
}

func (h *values) add(v yalue.Value) { h.all = append(h.all, v) }

func (h *values) release() {
	for _, v := range h.all {
		_ = v.Destroy() // it has no way to fail
	}
	h.pins.Unpin()
}

// onnxType gives ONNX's number of an element type.
func onnxType(d tensor.DType) (yalue.TensorElementDataType, error) {
	for number, known := range elemTypes {
		if known == d {
			return yalue.TensorElementDataType(number), nil
		}
	}
	return 0, fmt.Errorf("onnx has no type for %s", d)
}

// input wraps a tensor without copying it. Every type takes the same way, as
// bytes: the runtime knows types that onnxruntime_go's typed tensors do not.
func (h *values) input(t Tensor) (yalue.Value, error) {
	if len(t.Shape) == 0 {
		return h.scalar(t)
	}
	data := t.Bytes
	switch t.DType {
	case tensor.F32:
		data = bytesOf(t.F32)
	case tensor.I64:
		data = bytesOf(t.I64)
	}
	return h.wrap(t.DType, t.Shape, data)
}

// wrap makes a value over data. The memory is pinned: the value keeps its
// address across calls, which the rules of cgo allow for pinned memory only.
func (h *values) wrap(d tensor.DType, shape []int64, data []byte) (yalue.Value, error) {
	number, err := onnxType(d)
	if err != nil {
		return nil, err
	}
	if len(data) == 0 {
		data = make([]byte, 8) // an empty tensor must point somewhere too
	}
	h.pins.Pin(&data[0])
	v, err := yalue.NewCustomDataTensor(shape, data, number)
	if err != nil {
		return nil, err
	}
	h.add(v)
	return v, nil
}

var errScalar = errors.New("a scalar must be F32 or I64")

func (h *values) scalar(t Tensor) (v yalue.Value, err error) {
	switch t.DType {
	case tensor.F32:
		v, err = yalue.NewScalar(t.F32[0])
	case tensor.I64:
		v, err = yalue.NewScalar(t.I64[0])
	default:
		err = errScalar
	}
	if err != nil {
		return nil, err
	}
	h.add(v)
	return v, nil
}

// output gives the value that the run is to fill, nil where the runtime is to
// make it, and the way to read it. Where the shape is known before the run the
// value lies in Go's memory, which saves copying a cache out at every step;
// besides, onnxruntime_go reads back neither scalars nor the types Go lacks.
func (h *values) output(declared Value, shape []int64) (yalue.Value, func(yalue.Value) (Tensor, error), error) {
	d := declared.DType
	switch {
	case shape == nil && readable(d):
		return nil, func(v yalue.Value) (Tensor, error) { return fromValue(v, d) }, nil
	case shape == nil:
		return nil, nil, fmt.Errorf("it is %s of shape %s: such an output needs a shape that the inputs fix", d, declared.dims())
	case len(shape) == 0:
		return h.scalarOutput(d)
	}
	n, err := tensor.Elements(shape)
	if err != nil {
		return nil, nil, err
	}
	t := Tensor{DType: d, Shape: shape}
	switch d {
	case tensor.F32:
		t.F32 = make([]float32, n)
	case tensor.I64:
		t.I64 = make([]int64, n)
	default:
		t.Bytes = make([]byte, n*int64(d.Size()))
	}
	v, err := h.input(t)
	return v, func(yalue.Value) (Tensor, error) { return t, nil }, err
}

func (h *values) scalarOutput(d tensor.DType) (yalue.Value, func(yalue.Value) (Tensor, error), error) {
	switch d {
	case tensor.F32:
		s, err := yalue.NewEmptyScalar[float32]()
		if err != nil {
			return nil, nil, err
		}
		h.add(s)
		return s, func(yalue.Value) (Tensor, error) { return Float32([]float32{s.GetData()}, []int64{}...), nil }, nil
	case tensor.I64:
		s, err := yalue.NewEmptyScalar[int64]()
		if err != nil {
			return nil, nil, err
		}
		h.add(s)
		return s, func(yalue.Value) (Tensor, error) { return Int64([]int64{s.GetData()}, []int64{}...), nil }, nil
	}
	return nil, nil, errScalar
}

// readable tells the types that onnxruntime_go reads back.
func readable(d tensor.DType) bool {
	switch d {
	case tensor.F16, tensor.BF16, tensor.F8E4M3, tensor.F8E5M2:
		return false
	}
	return true
}

// fromValue takes the elements over: onnxruntime_go has copied them to Go's
// memory, which outlives the value.
func fromValue(v yalue.Value, d tensor.DType) (Tensor, error) {
	t := Tensor{DType: d, Shape: v.GetShape()}
	switch v := v.(type) {
	case *yalue.Tensor[float32]:
		t.F32 = v.GetData()
	case *yalue.Tensor[int64]:
		t.I64 = v.GetData()
	case *yalue.Tensor[float64]:
		t.Bytes = bytesOf(v.GetData())
	case *yalue.Tensor[int32]:
		t.Bytes = bytesOf(v.GetData())
	case *yalue.Tensor[int16]:
		t.Bytes = bytesOf(v.GetData())
	case *yalue.Tensor[int8]:
		t.Bytes = bytesOf(v.GetData())
	case *yalue.Tensor[uint64]:
		t.Bytes = bytesOf(v.GetData())
	case *yalue.Tensor[uint32]:
		t.Bytes = bytesOf(v.GetData())
	case *yalue.Tensor[uint16]:
		t.Bytes = bytesOf(v.GetData())
	case *yalue.Tensor[uint8]:
		t.Bytes = v.GetData()
	case *yalue.Tensor[bool]:
		t.Bytes = bytesOf(v.GetData())
	default:
		return Tensor{}, fmt.Errorf("it came back as %T", v)
	}
	if err := t.check(); err != nil {
		return Tensor{}, fmt.Errorf("it does not come back as declared: %w", err)
	}
	return t, nil
}

// bytesOf views a slice as its bytes, little-endian as every system that ONNX
// Runtime runs on.
func bytesOf[T any](s []T) []byte {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), len(s)*int(unsafe.Sizeof(s[0])))
}
