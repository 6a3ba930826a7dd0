package graph

import "github.com/pecvt/pecvt/onnxops/onnxpb"

// DType is the element type of a value, by ONNX's own numbers.
type DType = onnxpb.TensorProto_DataType

// The element types that graphs here use.
const (
	Float    = onnxpb.TensorProto_FLOAT
	Double   = onnxpb.TensorProto_DOUBLE
	Float16  = onnxpb.TensorProto_FLOAT16
	BFloat16 = onnxpb.TensorProto_BFLOAT16
	Int64    = onnxpb.TensorProto_INT64
	Int32    = onnxpb.TensorProto_INT32
	Bool     = onnxpb.TensorProto_BOOL

	// Those of codes, of which numbers are made.
	Int8     = onnxpb.TensorProto_INT8
	UInt8    = onnxpb.TensorProto_UINT8
	UInt4    = onnxpb.TensorProto_UINT4
	Float8E4 = onnxpb.TensorProto_FLOAT8E4M3FN
	Float8E5 = onnxpb.TensorProto_FLOAT8E5M2
)

// Type is an element type and a shape.
type Type struct {
	DType DType
	Shape Shape

	// Elems holds the elements of a small integer tensor (a scalar or a vector
	// that describes a shape) where they are known; nil where they are not.
	Elems []Dim
}

// Value is a tensor in the graph: an input, an initializer or a node's output.
type Value struct {
	name string
	typ  Type
}

// Name is the value's name, unique in its graph.
func (v *Value) Name() string { return v.name }

// DType is the value's element type.
func (v *Value) DType() DType { return v.typ.DType }

// Shape is the value's shape; the caller must not change it.
func (v *Value) Shape() Shape { return v.typ.Shape }

// Rank is the number of dimensions.
func (v *Value) Rank() int { return len(v.typ.Shape) }
