package onnxops

import (
	"fmt"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
)

// mamba emits residual + a Mamba 2 layer over x (batch*sequence, hidden); a nil
// residual is none.
func (e *emitter) mamba(i int, m *family.Mamba, x, residual *graph.Value) *graph.Value {
	g, at := e.g, func(place string) string { return names.Layer(i, place) }
	op := func(name, op string, in ...*graph.Value) *graph.Value {
		return g.Op(op, names.Node(at(family.AtMamba)+name, op), in)
	}
	inner, shared := m.Inner(), m.Shared()
	width := 2*(inner+shared) + m.Heads
	in := e.linear(at(family.AtMambaIn), x, m.In)
	if m.Scales != nil {
		in = op("/scaled", "Mul", in, e.mambaScales(m))
	}
	in = op("/in", "Reshape", in, e.shape(names.FlatShape(width), int64(width)))
	parts := e.splitLast(at(family.AtMamba)+"/parts", in, inner, inner+2*shared, m.Heads)
	u := e.causal(i, at(family.AtMambaConv), names.Window, &m.Conv, parts[1])
	u = op("/silu", "Mul", u, op("/silu", "Sigmoid", u))
	heads := e.ints(fmt.Sprintf("heads0_0_%d_%d", m.Heads, m.HeadDim), 0, 0, int64(m.Heads), int64(m.HeadDim))
	narrow := g.Wide()
	xbc := e.splitLast(at(family.AtMamba)+"/xbc", u, inner, 2*shared)
	xh := op("/x", "Reshape", xbc[0], heads)
	dt := op("/dt", "Softplus", op("/dt", "Add", parts[2], e.weights.float32(m.DtBias)))
	dt = op("/dt", "Where", e.realRows(), dt, e.scalar("seen", 0))
	decay := op("/decay", "Mul", dt, op("/a", "Neg", op("/a", "Exp", e.weights.float32(m.ALog))))
	given := op("/given", "Mul", xh, op("/dt", "Unsqueeze", dt, e.ints("axis3", 3)))
	given = op("/given", "Reshape", given, e.shape(names.FlatShape(inner), int64(inner)))
	all := g.Op("Concat", names.Node(at(family.AtMamba)+"/all", "Concat"), []*graph.Value{given, xbc[1], decay}, graph.IntAttr("axis", 2))
	y := e.selective(i, family.AtMamba, m, all)
	y = op("/y", "Reshape", y, heads)
	skip := op("/skip", "Mul", xh, op("/skip", "Unsqueeze", e.weights.float32(m.D), e.ints("axis1", 1)))
	y = g.Op("Add", names.Node(at(names.MambaMixed), "Add"), []*graph.Value{y, skip})
	narrow()
	y = op("/rows", "Reshape", y, e.rows(inner))
	y = e.mambaGate(at, m, y, op("/z", "Reshape", parts[0], e.rows(inner)))
	if m.Scale == 0 {
		return e.linearOnto(at(family.AtMambaOut), residual, y, m.Out)
	}
	y = e.scaled(names.Node(at(family.AtMambaOut)+"/scaled", "Mul"), e.linear(at(family.AtMambaOut), y, m.Out), m.Scale)
	if residual == nil {
		return y
	}
	return g.Op("Add", names.Node(at(family.AtMambaOut), "Add"), []*graph.Value{residual, y})
}

// mambaGate emits the norm and the gate of y, (rows, inner), in the layer's order.
func (e *emitter) mambaGate(at func(place string) string, m *family.Mamba, y, z *graph.Value) *graph.Value {
	g, path := e.g, at(names.MambaGated)
	z = g.Op("Mul", path+"/silu/Mul", []*graph.Value{z, g.Op("Sigmoid", path+"/silu/Sigmoid", []*graph.Value{z})})
	gate := func(y *graph.Value) *graph.Value { return g.Op("Mul", names.Node(path, "Mul"), []*graph.Value{y, z}) }
	switch {
	case m.Norm == nil:
		return gate(y)
	case m.NormFirst:
		return gate(e.groupNorm(at(family.AtMambaNorm), m.Norm, m.Inner(), y))
	}
	return e.groupNorm(at(family.AtMambaNorm), m.Norm, m.Inner(), gate(y))
}

// groupNorm normalises n.Size numbers of y, (rows, width), at a time, and multiplies
// each of the width by a weight of its own.
func (e *emitter) groupNorm(prefix string, n *family.Norm, width int, y *graph.Value) *graph.Value {
	if n.Size == width {
		return e.norm(prefix, y, n)
	}
	bare := *n
	bare.Weight = family.Weight{}
	groups := e.ints(fmt.Sprintf("groups0_%d_%d", width/n.Size, n.Size), 0, int64(width/n.Size), int64(n.Size))
	y = e.norm(prefix, e.g.Op("Reshape", prefix+"/groups"+names.Reshape, []*graph.Value{y, groups}), &bare)
	y = e.g.Op("Reshape", prefix+"/rows"+names.Reshape, []*graph.Value{y, e.rows(width)})
	return e.g.Op("Mul", prefix+"/Mul", []*graph.Value{y, e.weights.float32(n.Weight)})
}

// mambaScales is the constant of the factors of all that the input projection makes.
func (e *emitter) mambaScales(m *family.Mamba) *graph.Value {
	var all []float64
	name := "mamba_scales"
	for i, n := range m.Widths() {
		name += fmt.Sprintf("_%v", m.Scales[i])
		for range n {
			all = append(all, m.Scales[i])
		}
	}
	return e.floats(fmt.Sprintf("%s_of_%s", name, strings.Trim(strings.ReplaceAll(fmt.Sprint(m.Widths()), " ", "_"), "[]")), []int64{int64(len(all))}, all)
}

// splitLast cuts x (batch, sequence, width) into parts of such widths.
func (e *emitter) splitLast(prefix string, x *graph.Value, widths ...int) []*graph.Value {
	return cutLast(e.g, prefix, x, e.ints("widths"+wordsOf(widths), int64s(widths)...), len(widths))
}

// cutLast is a Split of the last axis into n parts.
func cutLast(g *graph.Graph, prefix string, x, sizes *graph.Value, n int) []*graph.Value {
	name := names.Node(prefix, "Split")
	outs := make([]string, n)
	for k := range outs {
		outs[k] = fmt.Sprintf("%s_output_%d", name, k)
	}
	axis := 0
	if g.Err() == nil {
		axis = len(x.Shape()) - 1
	}
	return g.Add(graph.Node{Op: "Split", Name: name, In: []*graph.Value{x, sizes}, Out: outs, Attrs: []graph.Attr{graph.IntAttr("axis", axis)}})
}

func wordsOf(list []int) (s string) {
	for _, n := range list {
		s += fmt.Sprintf("_%d", n)
	}
	return s
}

func int64s(list []int) []int64 {
	out := make([]int64, len(list))
	for i, n := range list {
		out[i] = int64(n)
	}
	return out
}
