package interp

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

const testDomain = "test"

// addFunction declares a function of testDomain.
func (b *graphBuilder) addFunction(name string, in, out []string, nodes ...*onnxpb.NodeProto) *onnxpb.FunctionProto {
	f := &onnxpb.FunctionProto{Domain: testDomain, Name: name, Input: in, Output: out, Node: nodes,
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: 23}, {Domain: testDomain, Version: 1}}}
	b.functions = append(b.functions, f)
	b.domains = []string{testDomain}
	return f
}

func (b *graphBuilder) call(name string, in, out []string, attrs ...*onnxpb.AttributeProto) {
	n := node(name, in, out, attrs...)
	n.Domain = testDomain
	b.g.Node = append(b.g.Node, n)
}

// A call may leave out outputs, at the end or before another; the body goes on
// using what nobody asked for. Values of the body never meet the graph's, even
// where they are spelled alike.
func TestFunctionOutputs(t *testing.T) {
	b := newGraph()
	b.addFunction("Both", []string{"x"}, []string{"twice", "four"},
		node("Add", []string{"x", "x"}, []string{"twice"}),
		node("Add", []string{"twice", "twice"}, []string{"four"}))
	b.input("x", f32, 1)
	b.call("Both", []string{"x"}, []string{"first"})
	b.call("Both", []string{"first"}, []string{"", "eight"})
	b.node("Neg", []string{"eight"}, "//eight/twice")
	// The second call's node is named "/": its inner value wants the name above.
	b.g.Node[1].Name = "//eight"
	b.output("first", "eight", "//eight/twice")
	p := mustLoad(t, b.model())
	out, err := p.Run(map[string]*Array{"x": Floats([]float64{3}, 1)})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]float64{"first": 6, "eight": 24, "//eight/twice": -24} {
		if got := out[name].F[0]; got != want {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
}

// An attribute by reference takes the call's value, else the function's
// default; one that the call leaves out and that has no default is left out of
// the body too, and the operator's own default holds.
func TestFunctionAttributes(t *testing.T) {
	ref := func() *onnxpb.NodeProto {
		return node("Concat", []string{"x", "x"}, []string{"y"}, refAttr("axis", "along", onnxpb.AttributeProto_INT))
	}
	cases := []struct {
		name     string
		declare  func(f *onnxpb.FunctionProto)
		call     []*onnxpb.AttributeProto
		want     []int
		wantFail string
	}{
		{"given", func(f *onnxpb.FunctionProto) { f.Attribute = []string{"along"} },
			[]*onnxpb.AttributeProto{intAttr("along", 1)}, []int{2, 6}, ""},
		{"default", func(f *onnxpb.FunctionProto) { f.AttributeProto = []*onnxpb.AttributeProto{intAttr("along", 1)} },
			nil, []int{2, 6}, ""},
		{"given over default", func(f *onnxpb.FunctionProto) { f.AttributeProto = []*onnxpb.AttributeProto{intAttr("along", 1)} },
			[]*onnxpb.AttributeProto{intAttr("along", 0)}, []int{4, 3}, ""},
		{"left out", func(f *onnxpb.FunctionProto) { f.Attribute = []string{"along"} }, nil, nil, `attribute "axis" is missing`},
		{"not declared by the function", func(f *onnxpb.FunctionProto) {}, nil, nil, `refers to "along", which the function does not declare`},
		{"unknown to the function", func(f *onnxpb.FunctionProto) { f.Attribute = []string{"along"} },
			[]*onnxpb.AttributeProto{intAttr("across", 0)}, nil, `function test::Join has no attribute "across"`},
		{"of another type", func(f *onnxpb.FunctionProto) { f.Attribute = []string{"along"} },
			[]*onnxpb.AttributeProto{intsAttr("along", 0)}, nil, `attribute "axis" is INT, the function's "along" was given INTS`},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			b := newGraph()
			tc.declare(b.addFunction("Join", []string{"x"}, []string{"y"}, ref()))
			b.input("x", f32, 2, 3)
			b.call("Join", []string{"x"}, []string{"y"}, tc.call...)
			b.output("y")
			p, err := Load(b.model(), t.TempDir())
			var out map[string]*Array
			if err == nil {
				defer p.Close()
				out, err = p.Run(map[string]*Array{"x": Floats(make([]float64, 6), 2, 3)})
			}
			switch {
			case tc.wantFail != "":
				if err == nil || !strings.Contains(err.Error(), tc.wantFail) {
					t.Errorf("error %v, want %q", err, tc.wantFail)
				}
			case err != nil:
				t.Error(err)
			case !slices.Equal(out["y"].Shape, tc.want):
				t.Errorf("shape %v, want %v", out["y"].Shape, tc.want)
			}
		})
	}
}

func TestFunctionRefuses(t *testing.T) {
	cases := []struct {
		name string
		edit func(b *graphBuilder)
		want string
	}{
		{"recursion", func(b *graphBuilder) {
			n := node("F", []string{"x"}, []string{"y"})
			n.Domain = testDomain
			b.functions[0].Node = []*onnxpb.NodeProto{n}
		}, "function test::F calls itself"},
		{"a value of the graph in the body", func(b *graphBuilder) { b.functions[0].Node[0].Input[0] = "outer" },
			`value "outer" is neither an input of the function nor computed before it is used`},
		{"body out of order", func(b *graphBuilder) { b.functions[0].Node[0].Input[0] = "y" }, `value "y" is neither an input`},
		{"output never computed", func(b *graphBuilder) { b.functions[0].Node[0].Output[0] = "z" }, `never computes its output "y"`},
		{"output is an input", func(b *graphBuilder) { b.functions[0].Output[0] = "x" }, `output "x" is also an input`},
		{"value defined twice", func(b *graphBuilder) {
			b.functions[0].Node = append(b.functions[0].Node, node("Neg", []string{"x"}, []string{"y"}))
		}, `value "y" is defined twice in the function`},
		{"too many inputs", func(b *graphBuilder) { b.g.Node[0].Input = []string{"outer", "outer"} }, "takes 1 inputs and gives 1 outputs, the call has 2 and 1"},
		{"operator set not imported", func(b *graphBuilder) { b.functions[0].OpsetImport = nil }, `node "/y//y" (Neg): operator set of domain "" is not imported`},
		{"defined twice", func(b *graphBuilder) { b.functions = append(b.functions, b.functions[0]) }, "function test::F is defined twice"},
		{"exponential growth", func(b *graphBuilder) {
			for i := range 40 {
				inner := fmt.Sprintf("F%d", i)
				name := fmt.Sprintf("F%d", i+1)
				one, two := node(inner, []string{"x"}, []string{"t"}), node(inner, []string{"t"}, []string{"y"})
				one.Domain, two.Domain = testDomain, testDomain
				b.addFunction(name, []string{"x"}, []string{"y"}, one, two)
			}
			b.addFunction("F0", []string{"x"}, []string{"y"}, node("Neg", []string{"x"}, []string{"y"}))
			b.g.Node[0].OpType = "F40"
		}, "has more than 131072 nodes"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			b := newGraph()
			b.addFunction("F", []string{"x"}, []string{"y"}, node("Neg", []string{"x"}, []string{"y"}))
			b.input("outer", f32, 1)
			b.call("F", []string{"outer"}, []string{"y"})
			b.output("y")
			tc.edit(b)
			_, err := Load(b.model(), t.TempDir())
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}
