package weights

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify/run"
)

// onnxTypes are ONNX's names of the types that weights may have.
var onnxTypes = map[tensor.DType]onnxpb.TensorProto_DataType{
	tensor.F64: onnxpb.TensorProto_DOUBLE, tensor.F32: onnxpb.TensorProto_FLOAT,
	tensor.F16: onnxpb.TensorProto_FLOAT16, tensor.BF16: onnxpb.TensorProto_BFLOAT16,
	tensor.I8: onnxpb.TensorProto_INT8, tensor.U8: onnxpb.TensorProto_UINT8,
	tensor.F8E4M3: onnxpb.TensorProto_FLOAT8E4M3FN, tensor.F8E5M2: onnxpb.TensorProto_FLOAT8E5M2,
}

// origin is the tensor that an initializer is of: the model's, or one of codes as it is
// stored.
type origin struct {
	info store.Info
	src  store.Store
	of   string // the model's tensor
}

// lookup finds the tensor of a name that an initializer is, or is rows of.
func (s *placed) lookup(name string, t *onnxpb.TensorProto) (o origin, ok bool) {
	if s.codes == nil {
		s.codes = map[string]string{}
		if q := store.Quantised(s.ckpt); q != nil {
			for of, t := range q.Tensors {
				if t.Grid != nil {
					s.codes[t.Grid.Codes] = of
				}
			}
		}
	}
	o = origin{src: s.ckpt, of: name}
	if of := s.codes[name]; of != "" && t.GetDataType() != int32(onnxpb.TensorProto_FLOAT) {
		o.src, o.of = store.Stored(s.ckpt), of
	}
	o.info, ok = o.src.Lookup(name)
	return o, ok
}

// piece is what an initializer of the graph is of the checkpoint: rows of a tensor.
type piece struct {
	origin
	rows  family.Range
	whole bool
}

// pieceOf reads an initializer's name: a tensor's, or rows of one, name[begin:end].
func (s *placed) pieceOf(t *onnxpb.TensorProto) (piece, bool) {
	name := t.GetName()
	if o, ok := s.lookup(name, t); ok {
		n := int64(1)
		if m := tensor.Matrix(o.info.Shape); len(o.info.Shape) > 0 {
			n = m[0]
		}
		return piece{o, family.Range{Begin: 0, End: n}, true}, true
	}
	at := strings.LastIndexByte(name, '[')
	if at <= 0 || !strings.HasSuffix(name, "]") {
		return piece{}, false
	}
	o, ok := s.lookup(name[:at], t)
	o.info.Shape = tensor.Matrix(o.info.Shape)
	first, last, cut := strings.Cut(name[at+1:len(name)-1], ":")
	begin, err1 := strconv.ParseInt(first, 10, 64)
	end, err2 := strconv.ParseInt(last, 10, 64)
	if !ok || !cut || err1 != nil || err2 != nil || len(o.info.Shape) == 0 || begin < 0 || end < begin || end > o.info.Shape[0] {
		return piece{}, false
	}
	return piece{o, family.Range{Begin: begin, End: end}, false}, true
}

// shape is the piece's shape as stored.
func (p piece) shape() []int64 {
	if p.whole {
		return p.info.Shape
	}
	return append([]int64{p.rows.End - p.rows.Begin}, p.info.Shape[1:]...)
}

// bytes is the span of the piece in its tensor.
func (p piece) bytes() (begin, end int64) {
	if p.whole || p.info.Shape[0] == 0 {
		return 0, p.info.Bytes()
	}
	row := p.info.Bytes() / p.info.Shape[0]
	return p.rows.Begin * row, p.rows.End * row
}

// unlikeWeight tells of the first initializer that is not the checkpoint's
// tensor of its name in type, shape or length; "" where all are. Where its bytes
// are, and what they hold, strayWeight compares.
func (s *placed) unlikeWeight() string {
	for _, t := range s.info.Model.GetGraph().GetInitializer() {
		name := t.GetName()
		p, ok := s.pieceOf(t)
		if !ok {
			continue // a constant of the graph's own, or what strayWeight tells of
		}
		begin, end := p.bytes()
		location, _, length := run.External(t)
		if want := onnxTypes[p.info.DType]; t.GetDataType() != int32(want) {
			return fmt.Sprintf("the graph has %q as %s, the checkpoint as %s", name, onnxpb.TensorProto_DataType(t.GetDataType()), p.info.DType)
		}
		if !slices.Equal(t.GetDims(), p.shape()) && !(p.whole && (s.logical(p.of, t.GetDims()) || p.src != s.ckpt && slices.Equal(t.GetDims(), tensor.Matrix(p.info.Shape)))) {
			return fmt.Sprintf("the graph has %q as %v, the checkpoint as %v", name, t.GetDims(), p.shape())
		}
		if location != "" && length != end-begin {
			return fmt.Sprintf("the graph takes %d bytes of %s for %q, which has %d", length, location, name, end-begin)
		}
	}
	return ""
}

// logical tells whether a weight of the model reads a tensor in this shape.
func (s *placed) logical(name string, shape []int64) bool {
	for _, w := range s.loaded.Weights() {
		if w.Tensor == name && w.Rows == nil && slices.Equal(w.Shape, shape) {
			return true
		}
	}
	return false
}
