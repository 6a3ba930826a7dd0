package onnxops

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
)

// rglru emits residual + a gated linear recurrence over x (batch*sequence, hidden).
// The recurrence is a Scan over tokens of two nodes: what is heavy, the gates, is
// outside of it.
func (e *emitter) rglru(i int, l *family.RGLRU, x, residual *graph.Value) *graph.Value {
	g, at := e.g, func(place string) string { return names.Layer(i, place) }
	op := func(name, op string, in ...*graph.Value) *graph.Value {
		return g.Op(op, names.Node(at(family.AtRGLRU)+name, op), in)
	}
	tokens := e.shape(names.FlatShape(l.Width), int64(l.Width))
	u := op("/in", "Reshape", e.linear(at(family.AtRGLRUIn), x, l.In), tokens)
	u = e.causal(i, at(family.AtRGLRUConv), names.Window, &l.Conv, u)
	narrow := g.Wide()
	gate := func(name string, w, bias family.Weight) *graph.Value {
		size := l.Width / l.Heads
		v := op("/"+name+"/heads", "Reshape", u, e.ints(fmt.Sprintf("rows%dx%d", l.Heads, size), -1, int64(l.Heads), int64(size)))
		turn := func(part string, v *graph.Value) *graph.Value {
			return g.Op("Transpose", at(family.AtRGLRU)+"/"+name+part+"/Transpose", []*graph.Value{v}, graph.IntsAttr("perm", 1, 0, 2))
		}
		v = turn("/back", op("/"+name, "MatMul", turn("/by_head", v), e.weights.float32(w)))
		v = op("/"+name+"/bias", "Add", v, e.weights.float32(bias))
		return op("/"+name, "Sigmoid", op("/"+name, "Reshape", v, tokens))
	}
	log := op("/log", "Mul", op("/param", "Softplus", e.weights.float32(l.Param)), e.scalar("rglru_rate", -family.RGLRURate))
	log = op("/decay/log", "Mul", gate("decay", l.Decay, l.DecayBias), log)
	decay := op("/decay", "Exp", op("/decay/real", "Where", e.realRows(), log, e.scalar("seen", 0)))
	left := op("/left", "Sub", e.scalar("rglru_one", 1), op("/left", "Exp", op("/left", "Add", log, log)))
	left = op("/left/first", "Where", e.firstRows(), e.scalar("rglru_one", 1), op("/left", "Sqrt", left))
	given := op("/given/left", "Mul", op("/given", "Mul", u, gate("input", l.InputGate, l.InputBias)), left)
	given = op("/given/real", "Where", e.realRows(), given, e.scalar("seen", 0))

	past, present := e.state(i, names.Recurrent, l.Width)
	prefix := names.Node(at(names.RGLRUMixed), "Scan")
	out := g.Scan(graph.Scan{Name: prefix, Axis: 1, Out: []string{present, prefix + "_output_1"},
		States: []*graph.Value{past}, Inputs: []*graph.Value{decay, given},
		Body: func(b *graph.Graph, states, in []*graph.Value) (next, out []*graph.Value) {
			h := b.Op("Mul", prefix+"/decayed/Mul", []*graph.Value{states[0], in[0]})
			h = b.Op("Add", prefix+"/state/Add", []*graph.Value{h, in[1]})
			return []*graph.Value{h}, []*graph.Value{b.Op("Identity", prefix+"/output/Identity", []*graph.Value{h})}
		}})
	if g.Err() != nil {
		return x
	}
	e.presents = append(e.presents, out[0])
	narrow()
	y := op("/rows", "Reshape", out[1], e.rows(l.Width))
	z := e.activation(at(names.RGLRUGated), &family.MLP{Act: l.Act}, e.linear(at(family.AtRGLRUGate), x, l.Gate))
	y = g.Op("Mul", names.Node(at(names.RGLRUGated), "Mul"), []*graph.Value{y, z})
	return e.linearOnto(at(family.AtRGLRUOut), residual, y, l.Out)
}

// firstRows tells each row's first token, (batch, sequence, 1); padding before it
// counts as it.
func (e *emitter) firstRows() *graph.Value {
	return e.once("/real/first", func() *graph.Value {
		v := e.g.Op("Gather", "/real/first/Gather", []*graph.Value{e.places(), e.maskBase().index}, graph.IntAttr("axis", 1))
		v = e.g.Op("Equal", "/real/first/Equal", []*graph.Value{v, e.int64Scalar("0", 0)})
		return e.g.Op("Unsqueeze", "/real/first/Unsqueeze", []*graph.Value{v, e.ints("axis2", 2)})
	})
}
