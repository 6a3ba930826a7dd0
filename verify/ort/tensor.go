package ort

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/tensor"
)

// Tensor is a dense row-major tensor that goes into or comes out of a graph.
// Its elements are in F32 where DType is [tensor.F32], in I64 where it is
// [tensor.I64], and in Bytes (little-endian) for every other type. A dimension
// may be 0: an empty past is shape [batch, heads, 0, width] without elements.
type Tensor struct {
	DType tensor.DType
	Shape []int64
	F32   []float32
	I64   []int64
	Bytes []byte
}

// Float32 makes a tensor of float32. The data is not copied.
func Float32(data []float32, shape ...int64) Tensor {
	return Tensor{DType: tensor.F32, Shape: shape, F32: data}
}

// Int64 makes a tensor of int64. The data is not copied.
func Int64(data []int64, shape ...int64) Tensor {
	return Tensor{DType: tensor.I64, Shape: shape, I64: data}
}

// Raw makes a tensor of any type but float32 and int64 from its little-endian
// elements: BF16 and F16 as a checkpoint stores them. The data is not copied.
func Raw(d tensor.DType, data []byte, shape ...int64) Tensor {
	return Tensor{DType: d, Shape: shape, Bytes: data}
}

// check says whether the elements are where DType puts them and are as many as
// the shape needs.
func (t Tensor) check() error {
	if !t.DType.Valid() {
		return fmt.Errorf("%v is not a dtype", t.DType)
	}
	n, err := tensor.Elements(t.Shape)
	if err != nil {
		return err
	}
	var have int64
	switch t.DType {
	case tensor.F32:
		have = int64(len(t.F32))
	case tensor.I64:
		have = int64(len(t.I64))
	default:
		size := int64(t.DType.Size())
		have = int64(len(t.Bytes)) / size
		if int64(len(t.Bytes))%size != 0 {
			return fmt.Errorf("%d bytes are no whole number of %s elements", len(t.Bytes), t.DType)
		}
	}
	if have != n {
		return fmt.Errorf("shape %v of %s needs %d elements, has %d", t.Shape, t.DType, n, have)
	}
	return nil
}
