package run

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/verify/interp"
	"github.com/pecvt/pecvt/verify/ort"
)

// ArrayOf is a tensor as the interpreter has values.
func ArrayOf(t ort.Tensor) (*interp.Array, error) {
	shape := Dims(t.Shape)
	n, err := tensor.Elements(t.Shape)
	if err != nil {
		return nil, err
	}
	switch {
	case t.DType == tensor.F32:
		f := make([]float64, len(t.F32))
		for i, x := range t.F32 {
			f[i] = float64(x)
		}
		return interp.Floats(f, shape...), nil
	case t.DType == tensor.I64:
		return interp.Ints(t.I64, shape...), nil
	case t.DType == tensor.Bool:
		b := make([]bool, n)
		for i := range b {
			b[i] = t.Bytes[i] != 0
		}
		return interp.Bools(b, shape...), nil
	case t.DType.IsFloat():
		f := make([]float64, n)
		return interp.Floats(f, shape...), tensor.Decode64(f, t.Bytes, t.DType)
	}
	i := make([]int64, n)
	return interp.Ints(i, shape...), tensor.DecodeInt64(i, t.Bytes, t.DType)
}

func LittleEndian(a *interp.Array) []byte {
	var out []byte
	for _, x := range a.F {
		out = binary.LittleEndian.AppendUint64(out, math.Float64bits(x))
	}
	for _, x := range a.I {
		out = binary.LittleEndian.AppendUint64(out, uint64(x))
	}
	for _, x := range a.B {
		bit := byte(0)
		if x {
			bit = 1
		}
		out = append(out, bit)
	}
	return out
}

// TensorOf is a value as an input of ONNX Runtime, rounded to its type.
func TensorOf(a *interp.Array, d tensor.DType) (ort.Tensor, error) {
	shape := make([]int64, len(a.Shape))
	for i, n := range a.Shape {
		shape[i] = int64(n)
	}
	switch {
	case a.Kind == interp.Float && d == tensor.F32:
		f := make([]float32, len(a.F))
		for i, x := range a.F {
			f[i] = float32(x)
		}
		return ort.Float32(f, shape...), nil
	case a.Kind == interp.Float && d.IsFloat():
		raw := make([]byte, len(a.F)*d.Size())
		return ort.Raw(d, raw, shape...), tensor.Encode64(raw, a.F, d)
	case a.Kind == interp.Int && d == tensor.I64:
		return ort.Int64(a.I, shape...), nil
	case a.Kind == interp.Bool && d == tensor.Bool:
		return ort.Raw(d, LittleEndian(a), shape...), nil
	}
	return ort.Tensor{}, fmt.Errorf("it is %v, the graph takes %s", a, d)
}
