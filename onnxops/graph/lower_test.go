package graph

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// TestLowering: a node is written out below the operator set of its row, under its
// own name, and stands as it is from there on.
func TestLowering(t *testing.T) {
	double := Lowering{Op: "Gelu", Since: 20, Expand: func(x *Expansion) {
		x.Last("Mul", []*Value{x.Op("sum", "Add", []*Value{x.In[0], x.In[0]}), x.Number(0.5)})
	}}
	for _, tt := range []struct {
		opset int
		want  string
	}{{19, "y/sum Add, y Mul, "}, {20, "y Gelu, "}} {
		g := New("lowered", tt.opset)
		g.Lower(double)
		g.Output(g.Op("Gelu", "y", []*Value{g.Input("x", Float, Of("rows", 4))}))
		m, err := g.Model(Meta{})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, n := range m.GetGraph().GetNode() {
			got += n.GetName() + " " + n.GetOpType() + ", "
		}
		if got != tt.want {
			t.Errorf("opset %d: nodes %s, expected %s", tt.opset, got, tt.want)
		}
		if out := m.GetGraph().GetOutput()[0].GetName(); out != "y_output_0" {
			t.Errorf("opset %d: output %s", tt.opset, out)
		}
	}
}

// TestBadLowering: what a row makes is held against what the operator gives.
func TestBadLowering(t *testing.T) {
	for _, tt := range []struct {
		expand func(x *Expansion)
		want   string
	}{
		{func(x *Expansion) {}, `node "y" (Softmax): written out without its output 0`},
		{func(x *Expansion) { x.Op("a", "Neg", x.In) }, "written out without its output 0"},
		{func(x *Expansion) { x.Last("ReduceSum", []*Value{x.In[0], x.Ints(1)}) }, "written out, its output 0 is FLOAT [rows 1], expected FLOAT [rows 4]"},
		{func(x *Expansion) { x.Last("Shape", x.In) }, "written out, its output 0 is INT64 [2], expected FLOAT [rows 4]"},
		{func(x *Expansion) { x.Fail(fmt.Errorf("no such form")) }, `graph: node "y" (Softmax): no such form`},
	} {
		g := New("bad", 17)
		g.Lower(Lowering{Op: "Softmax", Since: 23, Expand: tt.expand})
		g.Output(g.Op("Softmax", "y", []*Value{g.Input("x", Float, Of("rows", 4))}))
		if _, err := g.Model(Meta{}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("error %v, expected %q in it", err, tt.want)
		}
	}
}

// TestInline: a function's body stands where it was called, with the call's
// attributes and shared constants, and the function is gone.
func TestInline(t *testing.T) {
	body := []*onnxpb.NodeProto{
		{Name: "two", OpType: "Constant", Output: []string{"two"}, Attribute: []Attr{TensorAttr("value", &onnxpb.TensorProto{DataType: int32(Float), Dims: []int64{}, RawData: []byte{0, 0, 0, 64}})}},
		{Name: "soft", OpType: "Softmax", Input: []string{"in"}, Output: []string{"soft"}, Attribute: []Attr{RefAttr("axis", "along", onnxpb.AttributeProto_INT)}},
		{Name: "twice", OpType: "Mul", Input: []string{"soft", "two"}, Output: []string{"out"}},
		{Name: "less", OpType: "Neg", Input: []string{"soft"}, Output: []string{"minus"}},
	}
	f := &Function{Version: 1,
		Schema: Schema{Domain: "test", Op: "Twice", MinIn: 1, MaxIn: 1, Infer: func(c *Call) ([]Type, error) {
			return []Type{c.same(0)[0], c.same(0)[0]}, nil
		}},
		Proto: &onnxpb.FunctionProto{Name: "Twice", Domain: "test", Input: []string{"in"}, Output: []string{"out", "minus"}, Attribute: []string{"along"}, Node: body}}
	build := func(attrs ...Attr) (*onnxpb.ModelProto, error) {
		g := New("inlined", 23, f)
		g.Lower(f.Inline())
		x := g.Input("x", Float, Of("rows", 4))
		y := g.Add(Node{Domain: "test", Op: "Twice", Name: "a", In: []*Value{x}, Out: []string{"a0", "a1"}, Attrs: attrs})
		g.Output(g.Add(Node{Domain: "test", Op: "Twice", Name: "b", In: y[1:], Attrs: attrs})[0])
		return g.Model(Meta{})
	}
	m, err := build(IntAttr("along", 1))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range m.GetGraph().GetNode() {
		got = append(got, fmt.Sprintf("%s(%s)%v=%s", n.GetName(), strings.Join(n.GetInput(), ","), len(n.GetAttribute()), strings.Join(n.GetOutput(), ",")))
	}
	const want = "a/soft(x)1=a/soft a(a/soft,/const/Twice/two)0=a0 a/less(a/soft)0=a1 " +
		"b/soft(a1)1=b/soft b(b/soft,/const/Twice/two)0=b_output_0 b/less(b/soft)0=b/minus"
	if s := strings.Join(got, " "); s != want {
		t.Errorf("nodes\n%s, expected\n%s", s, want)
	}
	if a := m.GetGraph().GetNode()[0].GetAttribute()[0]; a.GetName() != "axis" || a.GetI() != 1 || a.GetRefAttrName() != "" {
		t.Errorf("attribute %v", a)
	}
	if len(m.GetFunctions()) != 0 || len(m.GetOpsetImport()) != 1 || len(m.GetGraph().GetInitializer()) != 1 {
		t.Errorf("%d functions, imports %v, %d constants", len(m.GetFunctions()), m.GetOpsetImport(), len(m.GetGraph().GetInitializer()))
	}
	if _, err := build(FloatAttr("along", 1)); err == nil || !strings.Contains(err.Error(), `attribute "along" is FLOAT, node "soft" of the function takes INT`) {
		t.Errorf("error %v", err)
	}
}

func TestSplit(t *testing.T) {
	for _, tt := range []struct {
		sizes []int64
		want  string
	}{{[]int64{1, 3}, ""}, {[]int64{2, 3}, "parts of [2 3] do not make up axis 1"}} {
		g := New("split", 17)
		out := g.Add(Node{Op: "Split", Name: "s", In: []*Value{g.Input("x", Float, Of("rows", 4)), g.Ints("sizes", tt.sizes...)}, Out: []string{"a", "b"}, Attrs: []Attr{IntAttr("axis", 1)}})
		switch err := g.Err(); {
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("error %v, expected %q in it", err, tt.want)
		case tt.want == "" && (err != nil || !out[1].Shape().Equal(Of("rows", 3))):
			t.Errorf("error %v, shape %v", err, out[1].Shape())
		}
	}
}
