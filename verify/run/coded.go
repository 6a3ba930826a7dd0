package run

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/quant"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// Coded are the initializers of a graph that hold a weight as codes on a grid:
// element (i, j) of its rows is (code − zero) · scale + offset of its block.
type Coded struct {
	// Weight has the tensor and the rows.
	Weight family.Weight
	// Codes are pieces in the order of the rows, of 4 bits each where Nibbles.
	Codes   []*onnxpb.TensorProto
	Nibbles bool
	Scales  *onnxpb.TensorProto
	Zeros   *onnxpb.TensorProto // nil for none
	Offsets *onnxpb.TensorProto // likewise

	dir     string
	grid    *quant.Grid
	blockOf []int
	rows    int64
}

// CodedWeight is the weight of which an initializer holds codes, scales or zeros, by
// its name; a tensor of codes as it is stored is not one.
func CodedWeight(name string) (w family.Weight, of names.Coded, ok bool) {
	stored, rows, of, ok := names.CodedOf(name)
	if !ok {
		return w, "", false
	}
	w, ok = rowsOf(stored, rows)
	return w, of, ok
}

// CodedOf finds the initializers of the weight that scales belong to; an error says
// what is missing, or is not as the checkpoint's grid.
func CodedOf(g *GraphInfo, ckpt store.Store, scales string) (*Coded, error) {
	w, of, ok := CodedWeight(scales)
	q := store.Quantised(ckpt)
	if !ok || of != names.Scales || q == nil || q.Tensors[w.Tensor] == nil || q.Tensors[w.Tensor].Grid == nil {
		return nil, fmt.Errorf("the graph has %q: the checkpoint has no such scales", scales)
	}
	c := &Coded{Weight: w, dir: g.Dir(), grid: q.Tensors[w.Tensor].Grid}
	all := c.grid.Stack * c.grid.Rows
	if c.rows = all; w.Rows != nil {
		c.rows = 0
	}
	for _, r := range w.Rows {
		if c.rows += r.End - r.Begin; r.End > all {
			return nil, fmt.Errorf("the graph has scales of rows %d to %d of tensor %q, which has %d", r.Begin, r.End-1, w.Tensor, all)
		}
	}
	_, part, _, _ := names.CodedOf(scales)
	inits := g.Initializers()
	c.Scales = inits[scales]
	c.Zeros = inits[names.CodedWeight(w.Tensor, part, names.Zeros)]
	c.Offsets = inits[names.CodedWeight(w.Tensor, part, names.Offsets)]
	switch nibbles, codes := inits[names.CodedWeight(w.Tensor, part, names.Nibbles)], inits[names.CodedWeight(w.Tensor, part, names.Codes)]; {
	case nibbles != nil:
		c.Nibbles, c.Codes = true, []*onnxpb.TensorProto{nibbles}
		c.Zeros = inits[names.CodedWeight(w.Tensor, part, names.NibbleZeros)]
	case codes != nil:
		c.Codes = []*onnxpb.TensorProto{codes}
	case w.Rows == nil:
		c.Codes = []*onnxpb.TensorProto{inits[c.grid.Codes]}
	default:
		for _, r := range w.Rows {
			c.Codes = append(c.Codes, inits[fmt.Sprintf("%s[%d:%d]", c.grid.Codes, r.Begin, r.End)])
		}
	}
	return c, c.fits()
}

// fits holds types and shapes of the initializers against the grid's.
func (c *Coded) fits() error {
	var rows int64
	for _, t := range c.Codes {
		if t == nil {
			return fmt.Errorf("the graph has scales of rows of tensor %q whose codes it has not", c.Weight.Tensor)
		}
		d := t.GetDims()
		_, known := codeTypes[t.GetDataType()]
		if n, err := tensor.Elements(d); err != nil || len(d) < 2 || !known || !c.Nibbles && n%c.grid.Columns != 0 {
			return fmt.Errorf("the graph has the codes %q as %v of %s: expected rows of %d", t.GetName(), d, onnxpb.TensorProto_DataType(t.GetDataType()), c.grid.Columns)
		} else if !c.Nibbles {
			rows += n / c.grid.Columns
		} else {
			rows += d[0]
		}
	}
	across := int64(-1)
	if d := c.Scales.GetDims(); len(d) == 2 && d[0] == c.rows && d[1] > 0 && c.Scales.GetDataType() == int32(onnxpb.TensorProto_FLOAT) {
		across = d[1]
	}
	block := int64(0)
	switch d := c.Codes[0].GetDims(); {
	case c.Nibbles && len(d) == 3 && d[1] == across:
		block = 2 * d[2]
	case !c.Nibbles && across > 0: // the grid's, or a part of it, which is a power of two
		block = c.grid.BlockColumns
		for part := int64(16); (c.grid.Columns+block-1)/block != across && part <= c.grid.BlockColumns; part *= 2 {
			block = part
		}
	}
	if rows != c.rows || across < 1 || block < 1 || (c.grid.Columns+block-1)/block != across {
		return fmt.Errorf("the graph has scales of %v for %d rows of codes of tensor %q: expected one for each of %d rows and each block of columns", c.Scales.GetDims(), rows, c.Weight.Tensor, c.rows)
	}
	if c.Zeros != nil {
		want := []int64{c.rows, across}
		if c.Nibbles {
			want[1] = (across + 1) / 2
		}
		if d := c.Zeros.GetDims(); len(d) != 2 || d[0] != want[0] || d[1] != want[1] {
			return fmt.Errorf("the graph has the zero points %q as %v: expected %v", c.Zeros.GetName(), d, want)
		}
	}
	if t := c.Offsets; t != nil {
		if d := t.GetDims(); len(d) != 2 || d[0] != c.rows || d[1] != across || t.GetDataType() != int32(onnxpb.TensorProto_FLOAT) {
			return fmt.Errorf("the graph has the offsets %q as %v: expected [%d %d] of FLOAT", t.GetName(), d, c.rows, across)
		}
	}
	c.blockOf = make([]int, c.grid.Columns)
	for j := range c.blockOf {
		c.blockOf[j] = j / int(block)
	}
	return nil
}

// codeTypes are the types that codes may have in a graph.
var codeTypes = map[int32]tensor.DType{
	int32(onnxpb.TensorProto_INT8): tensor.I8, int32(onnxpb.TensorProto_UINT8): tensor.U8,
	int32(onnxpb.TensorProto_FLOAT8E4M3FN): tensor.F8E4M3, int32(onnxpb.TensorProto_FLOAT8E5M2): tensor.F8E5M2,
}
