package graph

import (
	"strings"
	"testing"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// decaying is a running sum over axis 1 of x (batch, sequence, 3), from s (batch, 3).
func decaying(g *Graph, body func(b *Graph, s, x *Value) (next, out *Value)) []*Value {
	s, x := g.Input("s", Float, Of("batch", 3)), g.Input("x", Float, Of("batch", "sequence", 3))
	return g.Scan(Scan{Name: "/run", States: []*Value{s}, Inputs: []*Value{x}, Axis: 1, Out: []string{"last"},
		Body: func(b *Graph, states, slices []*Value) ([]*Value, []*Value) {
			next, out := body(b, states[0], slices[0])
			return []*Value{next}, []*Value{out}
		}})
}

func TestScan(t *testing.T) {
	g := New("loop", 17)
	g.Lower(Lowering{Op: "Gelu", Since: 20, Expand: func(x *Expansion) { x.Last("Mul", []*Value{x.In[0], x.Number(0.5)}) }})
	half := g.Op("Gelu", "/outer", []*Value{g.Input("z", Float, Of(2))})
	out := decaying(g, func(b *Graph, s, x *Value) (*Value, *Value) {
		next := b.Op("Add", "/run/next", []*Value{b.Op("Mul", "/run/kept", []*Value{s, b.Scalar("/run/half", 0.5)}), x})
		return next, b.Op("Gelu", "/run/given", []*Value{next})
	})
	for _, v := range append(out, half) {
		g.Output(v)
	}
	m, err := g.Model(Meta{})
	if err != nil {
		t.Fatal(err)
	}
	if last, all := out[0], out[1]; last.Name() != "last" || last.Shape().String() != "[batch 3]" || all.Name() != "/run_output_1" || all.Shape().String() != "[batch sequence 3]" {
		t.Errorf("outputs %s %s and %s %s", last.Name(), last.Shape(), all.Name(), all.Shape())
	}
	n := m.GetGraph().GetNode()[1]
	attrs := map[string]*onnxpb.AttributeProto{}
	for _, a := range n.GetAttribute() {
		attrs[a.GetName()] = a
	}
	body := attrs["body"].GetG()
	if len(body.GetNode()) != 3 || len(body.GetInput()) != 2 || len(body.GetOutput()) != 2 || attrs["num_scan_inputs"].GetI() != 1 || attrs["scan_input_axes"].GetInts()[0] != 1 {
		t.Errorf("node %v", n)
	}
	// what is written out in the body has constants of its own there
	if got := body.GetInitializer()[1].GetName(); got != "/run/const/number0.5" {
		t.Errorf("constant %q in the body", got)
	}
}

func TestBadScan(t *testing.T) {
	for _, tt := range []struct {
		body func(b *Graph, s, x *Value) (next, out *Value)
		want string
	}{
		{func(b *Graph, s, x *Value) (*Value, *Value) {
			return b.Op("ReduceSum", "sum", []*Value{x, b.Ints("k", 1)}), x
		}, `node "/run" (Scan): the next state 0 is FLOAT [batch 1]`},
		{func(b *Graph, s, x *Value) (*Value, *Value) {
			return b.Op("Add", "n", []*Value{s, &Value{name: "s"}}), b.Op("Neg", "m", []*Value{x})
		}, `input 1 (s) is not a value of this graph`},
		{func(b *Graph, s, x *Value) (*Value, *Value) {
			return b.Op("Add", "n", []*Value{s, x}), b.Op("Neg", "taken", []*Value{x})
		}, `are called "taken`},
	} {
		g := New("bad", 23)
		g.Op("Neg", "taken", []*Value{g.Input("z", Float, Of(2))})
		for _, v := range decaying(g, tt.body) {
			g.Output(v)
		}
		if _, err := g.Model(Meta{}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("error %v, expected %q in it", err, tt.want)
		}
	}
}
