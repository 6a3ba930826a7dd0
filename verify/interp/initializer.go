package interp

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// elementTypes maps ONNX's element types to ours; one that is missing cannot
// be computed with.
var elementTypes = map[onnxpb.TensorProto_DataType]tensor.DType{
	onnxpb.TensorProto_FLOAT:        tensor.F32,
	onnxpb.TensorProto_DOUBLE:       tensor.F64,
	onnxpb.TensorProto_FLOAT16:      tensor.F16,
	onnxpb.TensorProto_BFLOAT16:     tensor.BF16,
	onnxpb.TensorProto_FLOAT8E4M3FN: tensor.F8E4M3,
	onnxpb.TensorProto_FLOAT8E5M2:   tensor.F8E5M2,
	onnxpb.TensorProto_INT8:         tensor.I8,
	onnxpb.TensorProto_INT16:        tensor.I16,
	onnxpb.TensorProto_INT32:        tensor.I32,
	onnxpb.TensorProto_INT64:        tensor.I64,
	onnxpb.TensorProto_UINT8:        tensor.U8,
	onnxpb.TensorProto_UINT16:       tensor.U16,
	onnxpb.TensorProto_UINT32:       tensor.U32,
	onnxpb.TensorProto_UINT64:       tensor.U64,
	onnxpb.TensorProto_BOOL:         tensor.Bool,
	onnxpb.TensorProto_INT4:         tensor.I8, // two in a byte: weight.half
	onnxpb.TensorProto_UINT4:        tensor.U8,
}

// ElementType gives the type of ONNX's number of an element type (4-bit integers are
// of the 8-bit type that holds them); one that cannot be computed with is an error.
func ElementType(code int32) (tensor.DType, error) { return elementType(code) }

func elementType(code int32) (tensor.DType, error) {
	t := onnxpb.TensorProto_DataType(code)
	d, ok := elementTypes[t]
	if !ok {
		return 0, fmt.Errorf("element type %v is not supported", t)
	}
	return d, nil
}

// newWeight reads a TensorProto's description and checks its size; external
// data stays in its file.
func newWeight(t *onnxpb.TensorProto, files *externalFiles) (*weight, error) {
	fail := func(err error) (*weight, error) {
		return nil, fmt.Errorf("initializer %q: %w", t.GetName(), err)
	}
	d, err := elementType(t.GetDataType())
	if err != nil {
		return fail(err)
	}
	w := &weight{name: t.GetName(), dtype: d, shape: make([]int, len(t.GetDims()))}
	for i, n := range t.GetDims() {
		w.shape[i] = int(n)
	}
	n, err := elements(w.shape)
	if err != nil {
		return fail(err)
	}
	size := int64(n) * int64(d.Size())
	switch onnxpb.TensorProto_DataType(t.GetDataType()) {
	case onnxpb.TensorProto_INT4, onnxpb.TensorProto_UINT4:
		w.half, size = true, (int64(n)+1)/2
	}
	if t.GetDataLocation() == onnxpb.TensorProto_EXTERNAL {
		w.file, w.offset, err = files.locate(t.GetExternalData(), size)
		if err != nil {
			return fail(err)
		}
		return w, nil
	}
	if len(t.GetExternalData()) > 0 {
		return fail(fmt.Errorf("has external_data but data_location is not EXTERNAL"))
	}
	w.raw, err = inlineBytes(t, d)
	if err != nil {
		return fail(err)
	}
	if int64(len(w.raw)) != size {
		return fail(fmt.Errorf("shape %v of %v needs %d bytes, has %d", w.shape, d, size, len(w.raw)))
	}
	return w, nil
}

// inlineBytes is the tensor's data as raw little-endian elements, whichever of
// the typed fields it came in.
func inlineBytes(t *onnxpb.TensorProto, d tensor.DType) ([]byte, error) {
	if len(t.GetRawData()) > 0 {
		return t.GetRawData(), nil
	}
	var out []byte
	le := binary.LittleEndian
	switch d {
	case tensor.F32:
		for _, x := range t.GetFloatData() {
			out = le.AppendUint32(out, math.Float32bits(x))
		}
	case tensor.F64:
		for _, x := range t.GetDoubleData() {
			out = le.AppendUint64(out, math.Float64bits(x))
		}
	case tensor.I64:
		for _, x := range t.GetInt64Data() {
			out = le.AppendUint64(out, uint64(x))
		}
	case tensor.U64:
		for _, x := range t.GetUint64Data() {
			out = le.AppendUint64(out, x)
		}
	case tensor.U32:
		for _, x := range t.GetUint64Data() {
			if x > math.MaxUint32 {
				return nil, fmt.Errorf("%d does not fit in %v", x, d)
			}
			out = le.AppendUint32(out, uint32(x))
		}
	default: // everything of 32 bits or fewer is kept in int32_data
		for _, x := range t.GetInt32Data() {
			switch d.Size() {
			case 1:
				out = append(out, byte(x))
			case 2:
				out = le.AppendUint16(out, uint16(x))
			default:
				out = le.AppendUint32(out, uint32(x))
			}
		}
	}
	return out, nil
}
