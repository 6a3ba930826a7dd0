package interp

import (
	"errors"
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// constant is the value of a Constant node, from whichever attribute holds it.
func constant(attrs []*onnxpb.AttributeProto, files *externalFiles) (*weight, error) {
	if len(attrs) != 1 {
		return nil, fmt.Errorf("has %d attributes; want the one that holds its value", len(attrs))
	}
	a := attrs[0]
	t := &onnxpb.TensorProto{Name: a.GetName()}
	switch a.GetName() {
	case "value":
		if a.GetType() != onnxpb.AttributeProto_TENSOR || a.GetT() == nil {
			return nil, errors.New(`attribute "value" is not a tensor`)
		}
		return newWeight(a.GetT(), files)
	case "value_int":
		t.DataType, t.Int64Data = int32(onnxpb.TensorProto_INT64), []int64{a.GetI()}
	case "value_ints":
		t.DataType, t.Int64Data = int32(onnxpb.TensorProto_INT64), a.GetInts()
		t.Dims = []int64{int64(len(a.GetInts()))}
	case "value_float":
		t.DataType, t.FloatData = int32(onnxpb.TensorProto_FLOAT), []float32{a.GetF()}
	case "value_floats":
		t.DataType, t.FloatData = int32(onnxpb.TensorProto_FLOAT), a.GetFloats()
		t.Dims = []int64{int64(len(a.GetFloats()))}
	default:
		return nil, fmt.Errorf("attribute %q is not supported; want value, value_int(s) or value_float(s)", a.GetName())
	}
	return newWeight(t, files)
}

// constantOfShape fills a shape with one value, float 0 unless given.
func constantOfShape(c *call) ([]*Array, error) {
	shape, err := c.dims(0)
	if err != nil {
		return nil, err
	}
	w, ok := c.attrs["value"].(*weight)
	if !ok {
		w = &weight{dtype: tensor.F32, raw: make([]byte, 4), shape: []int{1}}
	}
	fill, err := w.decode()
	if err != nil {
		return nil, err
	}
	if fill.Len() != 1 {
		return nil, fmt.Errorf(`attribute "value" is %v; want one element`, fill)
	}
	out, err := gathered(fill, view{strides: make([]int, len(shape))}, shape)
	return one(out.typed(fill.of), err)
}

// rangeOf is start, start+delta, … short of limit.
func rangeOf(c *call) ([]*Array, error) {
	k, err := c.sameKind(Float, Int)
	if err != nil {
		return nil, err
	}
	for i, a := range c.in {
		if a == nil || a.Len() != 1 {
			return nil, fmt.Errorf("input %d is %v; want one element", i, a)
		}
	}
	if k == Float {
		start, limit, delta := c.in[0].F[0], c.in[1].F[0], c.in[2].F[0]
		n := math.Ceil((limit - start) / delta)
		if math.IsNaN(n) || n > float64(maxElements) {
			return nil, fmt.Errorf("from %v to %v by %v is no range", start, limit, delta)
		}
		out := make([]float64, max(0, int(n)))
		for i := range out {
			out[i] = start + float64(i)*delta
		}
		return []*Array{Floats(out, len(out))}, nil
	}
	start, limit, delta := c.in[0].I[0], c.in[1].I[0], c.in[2].I[0]
	if delta == 0 {
		return nil, errors.New("delta is 0")
	}
	n := math.Ceil((float64(limit) - float64(start)) / float64(delta))
	if n > float64(maxElements) {
		return nil, fmt.Errorf("from %d to %d by %d is too long", start, limit, delta)
	}
	out := make([]int64, max(0, int(n)))
	for i := range out {
		out[i] = start + int64(i)*delta
	}
	return []*Array{Ints(out, len(out))}, nil
}

// trilu keeps the triangle on and above (upper) or on and below diagonal k of
// the last two axes, and zeroes the rest.
func trilu(c *call) ([]*Array, error) {
	if err := c.need(0, Float, Int, Bool); err != nil {
		return nil, err
	}
	a, k := c.in[0], int64(0)
	rank := len(a.Shape)
	if rank < 2 {
		return nil, errors.New("needs two axes")
	}
	if c.arg(1) != nil {
		var err error
		if k, err = c.scalar(1); err != nil {
			return nil, err
		}
	}
	out, err := newArray(a.Kind, a.Shape...)
	if err != nil {
		return nil, err
	}
	rows, cols, upper := a.Shape[rank-2], a.Shape[rank-1], c.int("upper", 1) != 0
	k = min(max(k, -int64(rows)), int64(cols))
	for r := range count(a.Shape[:rank-1]) {
		// The diagonal meets this row at column d.
		d := int(k) + r%rows
		lo, hi := min(max(d, 0), cols), cols
		if !upper {
			lo, hi = 0, min(max(d+1, 0), cols)
		}
		at := view{r*cols + lo, []int{1}}
		copyRegion(out, at, a, at, []int{hi - lo})
	}
	return []*Array{out}, nil
}
