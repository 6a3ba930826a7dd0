package written

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/lower"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// samples are nodes of every operator that is written out, in each of its forms:
// their inputs and attributes, under the name that the emitter gives them.
var samples = []struct {
	name, op string
	shapes   []graph.Shape
	outputs  int
	attrs    []graph.Attr
}{
	{"/a/Attention", "Attention", attentionShapes(4, 4), 3, []graph.Attr{graph.FloatAttr("scale", 0.3)}},
	{"/b/Attention", "Attention", attentionShapes(4, 2), 3, []graph.Attr{graph.FloatAttr("scale", 0.25)}},
	{"/without past/Attention", "Attention", withoutPast(attentionShapes(4, 2)), 1, []graph.Attr{graph.FloatAttr("scale", 0.25)}},
	{"/without past or groups/Attention", "Attention", withoutPast(attentionShapes(4, 4)), 1, []graph.Attr{graph.FloatAttr("scale", 0.25)}},
	{"/c/RMSNormalization", "RMSNormalization", []graph.Shape{graph.Of("rows", 8), graph.Of(8)}, 1, []graph.Attr{graph.IntAttr("axis", -1), graph.FloatAttr("epsilon", 1e-6)}},
	{"/d/Gelu", "Gelu", []graph.Shape{graph.Of("rows", 8)}, 1, []graph.Attr{graph.StringAttr("approximate", "none")}},
	{"/e/Gelu", "Gelu", []graph.Shape{graph.Of("rows", 8)}, 1, []graph.Attr{graph.StringAttr("approximate", "tanh")}},
	{"/f/Rotation", "RotaryEmbedding", rotaryShapes(8, 8), 1, rotaryAttrs(0, 8)},
	{"/g/Rotation", "RotaryEmbedding", rotaryShapes(8, 4), 1, rotaryAttrs(0, 4)},
	{"/h/Rotation", "RotaryEmbedding", rotaryShapes(8, 8), 1, rotaryAttrs(1, 8)},
	{"/i/Rotation", "RotaryEmbedding", rotaryShapes(8, 4), 1, rotaryAttrs(1, 4)},
}

func attentionShapes(heads, groups int) []graph.Shape {
	return []graph.Shape{graph.Of("batch", heads, "sequence", 6), graph.Of("batch", groups, "sequence", 6), graph.Of("batch", groups, "sequence", 4),
		graph.Of("batch", 1, "sequence", "total"), graph.Of("batch", groups, "past", 6), graph.Of("batch", groups, "past", 4)}
}

// withoutPast has all keys and values at once.
func withoutPast(s []graph.Shape) []graph.Shape {
	s[1][2], s[2][2] = graph.Sym("total"), graph.Sym("total")
	return s[:4]
}

func rotaryShapes(d, r int) []graph.Shape {
	return []graph.Shape{graph.Of("batch", 2, "sequence", d), graph.Of("batch", "sequence", r/2), graph.Of("batch", "sequence", r/2)}
}

func rotaryAttrs(interleaved, r int) []graph.Attr {
	return []graph.Attr{graph.IntAttr("interleaved", interleaved), graph.IntAttr("rotary_embedding_dim", r)}
}

// build is a graph of sample i in an operator set.
func build(t *testing.T, i, opset int) *onnxpb.ModelProto {
	t.Helper()
	s := samples[i]
	g := graph.New("sample", opset)
	g.DefineSum(graph.Sym("total"), graph.Sym("past"), graph.Sym("sequence"))
	g.Lower(lower.Table()...)
	var in []*graph.Value
	for k, shape := range s.shapes {
		in = append(in, g.Input(fmt.Sprint("in", k), graph.Float, shape))
	}
	var out []string
	for k := range s.outputs {
		out = append(out, fmt.Sprint("out", k))
	}
	for _, v := range g.Add(graph.Node{Op: s.op, Name: s.name, In: in, Out: out, Attrs: s.attrs}) {
		g.Output(v)
	}
	m, err := g.Model(graph.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// same tells whether a node stands for a sample.
func same(n *onnxpb.NodeProto, i int) bool {
	s := samples[i]
	if n == nil || len(n.GetInput()) != len(s.shapes) || len(n.GetOutput()) != s.outputs {
		return false
	}
	for k, in := range n.GetInput() {
		if in != fmt.Sprint("in", k) {
			return false
		}
	}
	for k, out := range n.GetOutput() {
		if out != fmt.Sprint("out", k) {
			return false
		}
	}
	want := s.attrs
	if (s.name == "/b/Attention" || s.name == "/without past/Attention") && n.GetOpType() == s.op && len(n.GetAttribute()) > 1 {
		want = append(want[:1:1], graph.IntAttr("q_num_heads", 4))
	}
	return slices.EqualFunc(n.GetAttribute(), want, func(a, b *onnxpb.AttributeProto) bool { return proto.Equal(a, b) })
}

// TestNodes: what is written out reads as the operator that it was.
func TestNodes(t *testing.T) {
	for i, s := range samples {
		for opset := lower.Oldest; opset <= lower.Current; opset++ {
			g := build(t, i, opset).GetGraph()
			got := Nodes(g)
			if len(got.Wrong) > 0 {
				t.Errorf("%s in opset %d: %v", s.name, opset, got.Wrong)
			}
			if len(got.Nodes) != 1 {
				t.Errorf("%s in opset %d: %d nodes", s.name, opset, len(got.Nodes))
				continue
			}
			op := s.name[strings.LastIndexByte(s.name, '/')+1:]
			plain := len(g.GetNode()) == 1
			if n := got.Nodes[0]; !same(n, i) || n.GetName() != s.name || n.GetOpType() != op && !(plain && n.GetOpType() == s.op) {
				t.Errorf("%s in opset %d is %v", s.name, opset, n)
			}
			if len(got.Steps) != len(g.GetNode())-1 {
				t.Errorf("%s in opset %d: %d steps of %d nodes", s.name, opset, len(got.Steps), len(g.GetNode()))
			}
		}
	}
}

// unturned is where the sizes of a split tell how much of a head does not turn, which
// follows from the head's size: no runtime takes another.
var unturned = map[string]int{"/const/ints2_2_4": 16, "/const/ints4_4": 8}

// TestEveryFault: whatever is changed in a group, an operator, an edge, an attribute
// or a constant, it reads as nothing or as another node.
func TestEveryFault(t *testing.T) {
	faults := 0
	for i, s := range samples {
		for _, opset := range []int{17, 18} {
			good := build(t, i, opset)
			try := func(what string, change func(g *onnxpb.GraphProto)) {
				m := proto.Clone(good).(*onnxpb.ModelProto)
				change(m.GetGraph())
				if proto.Equal(m, good) {
					t.Fatalf("%s in opset %d: %s changes nothing", s.name, opset, what)
				}
				faults++
				got := Nodes(m.GetGraph())
				if len(got.Wrong) == 0 && same(got.Groups[s.name], i) && len(got.Nodes) == 1 {
					t.Errorf("%s in opset %d: %s is not seen", s.name, opset, what)
				}
			}
			for k, n := range good.GetGraph().GetNode() {
				if len(good.GetGraph().GetNode()) == 1 {
					continue // as it is
				}
				try(n.GetName()+" of another operator", func(g *onnxpb.GraphProto) { g.Node[k].OpType = "Erfc" })
				try(n.GetName()+" of another domain", func(g *onnxpb.GraphProto) { g.Node[k].Domain = "acme" })
				try(n.GetName()+" without its name", func(g *onnxpb.GraphProto) { g.Node[k].Name = "/elsewhere" })
				try(n.GetName()+" with an attribute more", func(g *onnxpb.GraphProto) {
					g.Node[k].Attribute = append(g.Node[k].Attribute, graph.IntAttr("more", 1))
				})
				for a, attr := range n.GetAttribute() {
					try(n.GetName()+" with another "+attr.GetName(), func(g *onnxpb.GraphProto) {
						g.Node[k].Attribute[a].I++
						if list := g.Node[k].Attribute[a].Ints; len(list) > 0 {
							list[0]++
						}
					})
				}
				for e := range n.GetInput() {
					try(fmt.Sprintf("%s with input %d from elsewhere", n.GetName(), e), func(g *onnxpb.GraphProto) { g.Node[k].Input[e] = "/elsewhere" })
				}
				try(n.GetName()+" with an input more", func(g *onnxpb.GraphProto) { g.Node[k].Input = append(g.Node[k].Input, "in0") })
			}
			for k, c := range good.GetGraph().GetInitializer() {
				for at := range c.GetRawData() {
					if first, ok := unturned[c.GetName()]; ok && at >= first && s.name != "/f/Rotation" {
						continue
					}
					try(fmt.Sprintf("byte %d of %s", at, c.GetName()), func(g *onnxpb.GraphProto) { g.Initializer[k].RawData[at] ^= 0x40 })
				}
				try(c.GetName()+" of another type", func(g *onnxpb.GraphProto) { g.Initializer[k].DataType = int32(graph.Double) })
			}
			try("one more node below the name", func(g *onnxpb.GraphProto) {
				g.Node = append(g.Node, &onnxpb.NodeProto{Name: s.name + "/more", OpType: "Neg", Input: []string{"in0"}, Output: []string{"more"}})
			})
		}
	}
	if faults < 500 {
		t.Errorf("%d faults tried", faults)
	}
}

// TestMatMul: a product on a transposed weight reads as the Gemm that it stands for.
func TestMatMul(t *testing.T) {
	product := &onnxpb.NodeProto{Name: "/p/Gemm", OpType: "MatMul", Input: []string{"x", "w"}, Output: []string{"y"}}
	one := Nodes(&onnxpb.GraphProto{Node: []*onnxpb.NodeProto{product}}).Groups["/p/Gemm"]
	if one.GetOpType() != "Gemm" || !slices.Equal(one.GetInput(), []string{"x", "w"}) {
		t.Errorf("it is %v", one)
	}
	sum := []*onnxpb.NodeProto{
		{Name: "/p/Gemm/MatMul", OpType: "MatMul", Input: []string{"x", "w"}, Output: []string{"xw"}},
		{Name: "/p/Gemm", OpType: "Add", Input: []string{"xw", "b"}, Output: []string{"y"}},
	}
	one = Nodes(&onnxpb.GraphProto{Node: sum}).Groups["/p/Gemm"]
	if one.GetOpType() != "Gemm" || !slices.Equal(one.GetInput(), []string{"x", "w", "b"}) || !slices.Equal(one.GetOutput(), []string{"y"}) {
		t.Errorf("it is %v", one)
	}
}
