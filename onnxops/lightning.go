package onnxops

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
)

// lightning emits residual + lightning attention over x (batch*sequence, hidden). Its
// recurrence is a Mamba 2 layer's whose heads have keys and queries of their own in
// the places of B and C, and decays that no token changes.
func (e *emitter) lightning(i int, l *family.Lightning, x, residual *graph.Value) *graph.Value {
	g, at := e.g, func(place string) string { return names.Layer(i, place) }
	op := func(name, op string, in ...*graph.Value) *graph.Value {
		return g.Op(op, names.Node(at(family.AtLightning)+name, op), in)
	}
	d, width := l.HeadDim, l.Width()
	in := e.linear(at(family.AtLightningIn), x, l.In)
	in = op("/silu", "Mul", in, op("/silu", "Sigmoid", in))
	in = op("/in", "Reshape", in, e.shape(names.FlatShape(3*width), int64(3*width)))
	in = op("/real", "Where", e.realRows(), in, e.scalar("seen", 0))
	in = op("/heads", "Reshape", in, e.ints(fmt.Sprintf("heads0_0_%d_%d", l.Heads, 3*d), 0, 0, int64(l.Heads), int64(3*d)))
	third := func(name string, n int) *graph.Value {
		v := e.slice(fmt.Sprintf("%s/%s/Slice", at(family.AtLightning), name), in, 3, int64(n*d), int64((n+1)*d))
		return op("/"+name, "Reshape", v, e.shape(names.FlatShape(width), int64(width)))
	}
	q, k, v := third("q", 0), third("k", 1), third("v", 2)
	narrow := g.Wide()
	all := g.Op("Concat", names.Node(at(family.AtLightning)+"/all", "Concat"), []*graph.Value{v, k, q, e.lightningDecays(i, l)}, graph.IntAttr("axis", 2))
	y := e.selective(i, family.AtLightning, &family.Mamba{Heads: l.Heads, HeadDim: d, Groups: l.Heads, StateSize: d}, all)
	narrow()
	y = g.Op("Reshape", names.Node(at(names.LightningMixed), "Reshape"), []*graph.Value{y, e.rows(width)})
	y = e.norm(at(family.AtLightningNorm), y, &l.Norm)
	gate := op("/gate", "Sigmoid", e.linear(at(family.AtLightningGate), x, l.Gate))
	y = g.Op("Mul", names.Node(at(names.LightningGated), "Mul"), []*graph.Value{y, gate})
	return e.linearOnto(at(family.AtLightningOut), residual, y, l.Out)
}

// lightningDecays are the logarithms of every token's decays, (batch, sequence,
// heads): 0 at padding.
func (e *emitter) lightningDecays(i int, l *family.Lightning) *graph.Value {
	path := names.Layer(i, family.AtLightning) + "/decay/"
	slopes := e.floats(fmt.Sprintf("slopes_of_layer%d", i), []int64{int64(l.Heads)}, l.Slopes)
	if l.Stored != nil {
		slopes = e.g.Op("Reshape", path+"Reshape", []*graph.Value{e.weights.float32(*l.Stored), e.ints(fmt.Sprint("at", l.Heads), int64(l.Heads))})
	}
	return e.g.Op("Where", path+"Where", []*graph.Value{e.realRows(), e.g.Op("Neg", path+"Neg", []*graph.Value{slopes}), e.scalar("seen", 0)})
}
