package graph

import (
	"strings"
	"testing"
)

// bench declares one value of each kind that the tables below use.
type bench struct {
	*Graph
	x, y, ids, mask, cond *Value
}

func newBench() *bench {
	g := New("test", 23)
	g.DefineSum(Sym("total"), Sym("past"), Sym("sequence"))
	return &bench{
		Graph: g,
		x:     g.Input("x", Float, Of("batch", "sequence", 12)),
		y:     g.Input("y", Float, Of("batch", 1, 12)),
		ids:   g.Input("ids", Int64, Of("batch", "sequence")),
		mask:  g.Input("mask", Int64, Of("batch", "total")),
		cond:  g.Input("cond", Bool, Of("sequence", "total")),
	}
}

func (b *bench) float(name string, dims ...any) *Value { return b.Input(name, Float, Of(dims...)) }

func TestInfer(t *testing.T) {
	v := func(vs ...*Value) []*Value { return vs }
	tests := []struct {
		name string
		emit func(b *bench) *Value
		want string
	}{
		{"add broadcasts", func(b *bench) *Value { return b.Op("Add", "n", v(b.x, b.y)) }, "FLOAT [batch sequence 12]"},
		{"scalar broadcasts", func(b *bench) *Value { return b.Op("Mul", "n", v(b.Scalar("s", 2), b.x)) }, "FLOAT [batch sequence 12]"},
		{"compare", func(b *bench) *Value { return b.Op("Less", "n", v(b.x, b.y)) }, "BOOL [batch sequence 12]"},
		{"where", func(b *bench) *Value {
			return b.Op("Where", "n", v(b.cond, b.Scalar("s", 0), b.Scalar("r", 1)))
		}, "FLOAT [sequence total]"},
		{"cast", func(b *bench) *Value { return b.Op("Cast", "n", v(b.ids), IntAttr("to", int(Int32))) }, "INT32 [batch sequence]"},
		{"shape and reshape", func(b *bench) *Value {
			s := b.Op("Concat", "c", v(b.Op("Shape", "s", v(b.ids)), b.Ints("k", 3, 4)), IntAttr("axis", 0))
			return b.Op("Reshape", "n", v(b.x, s))
		}, "FLOAT [batch sequence 3 4]"},
		{"reshape with a free dimension", func(b *bench) *Value { return b.Op("Reshape", "n", v(b.x, b.Ints("k", -1, 6))) }, "FLOAT [2*batch*sequence 6]"},
		{"reshape that copies", func(b *bench) *Value { return b.Op("Reshape", "n", v(b.x, b.Ints("k", 0, 0, 3, -1))) }, "FLOAT [batch sequence 3 4]"},
		{"transpose", func(b *bench) *Value { return b.Op("Transpose", "n", v(b.x), IntsAttr("perm", 2, 0, 1)) }, "FLOAT [12 batch sequence]"},
		{"gather rows", func(b *bench) *Value { return b.Op("Gather", "n", v(b.float("t", 100, 8), b.ids)) }, "FLOAT [batch sequence 8]"},
		{"concat sums names", func(b *bench) *Value {
			return b.Op("Concat", "n", v(b.float("p", "batch", "past"), b.float("q", "batch", "sequence")), IntAttr("axis", 1))
		}, "FLOAT [batch total]"},
		{"concat sums lengths", func(b *bench) *Value {
			return b.Op("Concat", "n", v(b.float("p", 3, 2), b.float("q", 4, 2)), IntAttr("axis", 0))
		}, "FLOAT [7 2]"},
		{"slice a length", func(b *bench) *Value {
			return b.Op("Slice", "n", v(b.x, b.Ints("a", 2), b.Ints("e", -3), b.Ints("ax", 2)))
		}, "FLOAT [batch sequence 7]"},
		{"pad", func(b *bench) *Value { return b.Op("Pad", "n", v(b.x, b.Ints("p", 0, 1, 2, 0, 0, 3))) }, "FLOAT [batch sequence+1 17]"},
		{"unsqueeze", func(b *bench) *Value { return b.Op("Unsqueeze", "n", v(b.ids, b.Ints("ax", 1, -1))) }, "INT64 [batch 1 sequence 1]"},
		{"squeeze", func(b *bench) *Value { return b.Op("Squeeze", "n", v(b.y, b.Ints("ax", 1))) }, "FLOAT [batch 12]"},
		{"range over a dimension", func(b *bench) *Value {
			n := b.Op("Squeeze", "q", v(b.Op("Shape", "s", v(b.mask), IntAttr("start", 1)), b.Ints("ax", 0)))
			return b.Op("Range", "n", v(b.Int("zero", 0), n, b.Int("one", 1)))
		}, "INT64 [total]"},
		{"expand", func(b *bench) *Value { return b.Op("Expand", "n", v(b.Scalar("s", 1), b.Op("Shape", "s0", v(b.ids)))) }, "FLOAT [batch sequence]"},
		{"reduce all", func(b *bench) *Value { return b.Op("ReduceMax", "n", v(b.ids), IntAttr("keepdims", 0)) }, "INT64 []"},
		{"reduce one", func(b *bench) *Value {
			return b.Op("ReduceSum", "n", v(b.mask, b.Ints("ax", 1)), IntAttr("keepdims", 0))
		}, "INT64 [batch]"},
		{"reduce and keep", func(b *bench) *Value { return b.Op("ReduceMean", "n", v(b.x, b.Ints("ax", -1))) }, "FLOAT [batch sequence 1]"},
		{"gemm on a stored weight", func(b *bench) *Value {
			return b.Op("Gemm", "n", v(b.float("a", "rows", 8), b.float("w", 5, 8), b.float("c", 5)), IntAttr("transB", 1))
		}, "FLOAT [rows 5]"},
		{"matmul", func(b *bench) *Value { return b.Op("MatMul", "n", v(b.x, b.float("w", 12, 7))) }, "FLOAT [batch sequence 7]"},
		{"norm", func(b *bench) *Value {
			return b.Op("RMSNormalization", "n", v(b.x, b.float("w", 12)), IntAttr("axis", -1))
		}, "FLOAT [batch sequence 12]"},
	}
	for _, tt := range tests {
		b := newBench()
		got := tt.emit(b)
		if b.Err() != nil {
			t.Errorf("%s: %v", tt.name, b.Err())
			continue
		}
		if s := got.DType().String() + " " + got.Shape().String(); s != tt.want {
			t.Errorf("%s: %s, expected %s", tt.name, s, tt.want)
		}
	}
}

// TestInferErrors: a wrong shape is an error when the graph is built, and names
// the node, the operator, what was found and what was expected.
func TestInferErrors(t *testing.T) {
	v := func(vs ...*Value) []*Value { return vs }
	tests := []struct {
		name string
		emit func(b *bench)
		want string
	}{
		{"broadcast of names", func(b *bench) { b.Op("Add", "n", v(b.x, b.float("z", "batch", "total", 12))) },
			`node "n" (Add): input 1 (z) has shape [batch total 12], which does not broadcast with [batch sequence 12]`},
		{"mixed types", func(b *bench) { b.Op("Add", "n", v(b.ids, b.x)) }, "input 1 (x) is FLOAT, expected INT64"},
		{"inner side", func(b *bench) {
			b.Op("Gemm", "n", v(b.float("a", "rows", 8), b.float("w", 8, 5)), IntAttr("transB", 1))
		}, `node "n" (Gemm): input 1 (w) has shape [8 5], expected 8 on the inner side as input 0 (a) of shape [rows 8] has`},
		{"gemm rank", func(b *bench) { b.Op("Gemm", "n", v(b.x, b.float("w", 12, 5))) }, "has shape [batch sequence 12], expected 2 dimensions"},
		{"gemm bias", func(b *bench) {
			b.Op("Gemm", "n", v(b.float("a", "rows", 8), b.float("w", 8, 5), b.float("c", 4)))
		}, "input 2 (c) has shape [4], which does not broadcast to [rows 5]"},
		{"matmul", func(b *bench) { b.Op("MatMul", "n", v(b.x, b.float("w", 11, 7))) }, "input 1 (w) has shape [11 7], which does not fit"},
		{"reshape size", func(b *bench) { b.Op("Reshape", "n", v(b.float("a", 4, 3), b.Ints("k", 5, 2))) }, "has shape [4 3], which has not the size of [5 2]"},
		{"reshape remainder", func(b *bench) { b.Op("Reshape", "n", v(b.x, b.Ints("k", -1, 5))) }, "which does not divide into [-1 5]"},
		{"reshape two free", func(b *bench) { b.Op("Reshape", "n", v(b.x, b.Ints("k", -1, -1))) }, "two free dimensions"},
		{"reshape by data", func(b *bench) { b.Op("Reshape", "n", v(b.x, b.ids)) }, "input 1 (ids) must follow from shapes"},
		{"transpose", func(b *bench) { b.Op("Transpose", "n", v(b.x), IntsAttr("perm", 0, 1, 1)) }, "perm [0 1 1] does not order"},
		{"concat", func(b *bench) { b.Op("Concat", "n", v(b.x, b.y), IntAttr("axis", 2)) }, "input 1 (y) has shape [batch 1 12], expected [batch sequence 12] but for axis 2"},
		{"gather index", func(b *bench) { b.Op("Gather", "n", v(b.x, b.y)) }, "input 1 (y) is FLOAT, expected [INT64 INT32]"},
		{"axis", func(b *bench) { b.Op("Softmax", "m", v(b.x)); b.Op("Unsqueeze", "n", v(b.x, b.Ints("ax", 7))) }, "axis 7 is outside 4 dimensions"},
		{"squeeze", func(b *bench) { b.Op("Squeeze", "n", v(b.x, b.Ints("ax", 2))) }, "dimension 2 of input 0 (x) is 12, expected 1"},
		{"pad two of three", func(b *bench) { b.Op("Pad", "n", v(b.x, b.Ints("p", 0, 1, 0, 0))) }, "has 4 pads for 3 axes"},
		{"cut by a pad", func(b *bench) { b.Op("Pad", "n", v(b.x, b.Ints("p", 0, -1, 0, 0, 0, 0))) }, "pads axis 1 by -1 and 0"},
		{"slice a name", func(b *bench) { b.Op("Slice", "n", v(b.x, b.Ints("a", 1), b.Ints("e", 5), b.Ints("ax", 1))) }, "cutting 1:5 from dimension sequence"},
		{"norm weight", func(b *bench) { b.Op("RMSNormalization", "n", v(b.x, b.float("w", 11)), IntAttr("axis", -1)) }, "input 1 (w) has shape [11], expected [12]"},
		{"not a bool", func(b *bench) { b.Op("And", "n", v(b.cond, b.ids)) }, "input 1 (ids) is INT64, expected BOOL"},
		{"too few inputs", func(b *bench) { b.Op("Add", "n", v(b.x)) }, "has 1 inputs, expected 2 to 2"},
		{"left out", func(b *bench) { b.Op("Add", "n", v(b.x, nil)) }, "input 1 is left out"},
		{"unknown operator", func(b *bench) { b.Op("Frobnicate", "n", v(b.x)) }, `node "n" (Frobnicate): no schema of this operator is known`},
		{"node name twice", func(b *bench) { b.Op("Neg", "n", v(b.x)); b.Op("Neg", "n", v(b.x)) }, "node names must be there and differ"},
		{"value name twice", func(b *bench) { b.Input("x", Float, Of(1)) }, `two values are called "x"`},
		{"another graph's value", func(b *bench) { b.Op("Neg", "n", v(newBench().x)) }, "input 0 (x) is not a value of this graph"},
		{"too many outputs", func(b *bench) { b.Add(Node{Op: "Neg", Name: "n", In: v(b.x), Out: []string{"a", "c"}}) }, "has 1 outputs, 2 are named"},
	}
	for _, tt := range tests {
		b := newBench()
		tt.emit(b)
		if b.Err() == nil || !strings.Contains(b.Err().Error(), tt.want) {
			t.Errorf("%s: error %v, expected %q in it", tt.name, b.Err(), tt.want)
		}
	}
}
