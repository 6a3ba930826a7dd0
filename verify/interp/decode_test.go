package interp

import (
	"testing"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// What onnx-go hands over is what the program runs: order and repeats of
// inputs, absent ones, and attributes of every kind it decodes.
func TestDecodedSteps(t *testing.T) {
	b := newGraph()
	b.input("x", f32, 2)
	b.g.Initializer = append(b.g.Initializer, floatTensor("limit", []float32{1}))
	b.node("Mul", []string{"x", "x"}, "square")
	b.node("Sub", []string{"x", "square"}, "difference")
	b.node("Clip", []string{"difference", "", "limit"}, "clipped")
	b.g.Node = append(b.g.Node, node("LayerNormalization", []string{"clipped", "x"}, []string{"norm", "", "inverse", ""},
		&onnxpb.AttributeProto{Name: "epsilon", Type: onnxpb.AttributeProto_FLOAT, F: 0.5}, intAttr("axis", -1)))
	b.node("Gelu", []string{"norm"}, "y", &onnxpb.AttributeProto{Name: "approximate", Type: onnxpb.AttributeProto_STRING, S: []byte("tanh")})
	b.node("Transpose", []string{"y"}, "z", intsAttr("perm", 0))
	b.node("Shape", []string{"z"}, "shape")
	b.node("ConstantOfShape", []string{"shape"}, "filled",
		&onnxpb.AttributeProto{Name: "value", Type: onnxpb.AttributeProto_TENSOR, T: floatTensor("", []float32{7}, 1)})
	b.output("filled", "inverse")
	p := mustLoad(t, b.model())

	names := func(ids []int64) []string {
		var out []string
		for _, id := range ids {
			if id == absent {
				out = append(out, "")
			} else {
				out = append(out, p.names[id])
			}
		}
		return out
	}
	want := []struct {
		name, op string
		in, out  []string
		attrs    map[string]any
	}{
		{"/square", "Mul", []string{"x", "x"}, []string{"square"}, nil},
		{"/difference", "Sub", []string{"x", "square"}, []string{"difference"}, nil},
		{"/clipped", "Clip", []string{"difference", "", "limit"}, []string{"clipped"}, nil},
		{"/norm", "LayerNormalization", []string{"clipped", "x"}, []string{"norm", "", "inverse"},
			map[string]any{"epsilon": float32(0.5), "axis": int64(-1)}},
		{"/y", "Gelu", []string{"norm"}, []string{"y"}, map[string]any{"approximate": "tanh"}},
		{"/z", "Transpose", []string{"y"}, []string{"z"}, map[string]any{"perm": int64(0)}},
		{"/shape", "Shape", []string{"z"}, []string{"shape"}, nil},
		{"/filled", "ConstantOfShape", []string{"shape"}, []string{"filled"}, map[string]any{"value": float64(7)}},
	}
	if len(p.steps) != len(want) {
		t.Fatalf("%d steps, want %d", len(p.steps), len(want))
	}
	for i, w := range want {
		s := p.steps[i]
		if s.name != w.name || s.op != w.op || s.domain != "" || s.opset != 23 {
			t.Errorf("step %d is %s %s::%s %d, want %s %s", i, s.name, s.domain, s.op, s.opset, w.name, w.op)
		}
		if in, out := names(s.in), names(s.out); !equalNames(in, w.in) || !equalNames(out, w.out) {
			t.Errorf("%s: %q -> %q, want %q -> %q", s.name, in, out, w.in, w.out)
		}
		if len(s.attrs) != len(w.attrs) {
			t.Errorf("%s: attributes %v, want %v", s.name, s.attrs, w.attrs)
		}
		for name, v := range w.attrs {
			got := s.attrs[name]
			switch x := got.(type) {
			case []int64:
				got = x[0]
			case *weight:
				a, err := x.decode()
				if err != nil {
					t.Fatal(err)
				}
				got = a.F[0]
			}
			if got != v {
				t.Errorf("%s: %s = %v, want %v", s.name, name, got, v)
			}
		}
	}
}

func equalNames(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// An output that is an input, an initializer or a constant as well keeps its
// value: onnx-go alone would lose the input.
func TestOutputsThatAreInputs(t *testing.T) {
	b := newGraph()
	b.input("x", f32, 1)
	b.g.Initializer = append(b.g.Initializer, floatTensor("w", []float32{2}, 1))
	b.g.Node = append(b.g.Node, node("Constant", nil, []string{"c"}, intAttr("value_int", 5)))
	b.node("Add", []string{"x", "w"}, "y")
	b.output("y", "x", "w", "c")
	p := mustLoad(t, b.model())
	out, err := p.Run(map[string]*Array{"x": Floats([]float64{3}, 1)})
	if err != nil {
		t.Fatal(err)
	}
	if out["y"].F[0] != 5 || out["x"].F[0] != 3 || out["w"].F[0] != 2 || out["c"].I[0] != 5 {
		t.Errorf("got y %v, x %v, w %v, c %v", out["y"].F, out["x"].F, out["w"].F, out["c"].I)
	}
	if in := p.Inputs(); !equalNames(in, []string{"x"}) {
		t.Errorf("inputs %q", in)
	}
	if names := p.Outputs(); !equalNames(names, []string{"y", "x", "w", "c"}) {
		t.Errorf("outputs %q", names)
	}
}
