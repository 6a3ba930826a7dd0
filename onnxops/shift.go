package onnxops

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
)

// shift mixes each head of y (batch, sequence, heads, head size) with that of
// the token before: y_t ← a_t y_{t−1} + (1 − a_t) y_t, a_t = σ(W x_t + b). The
// last token's y, unmixed, is the state. Padding is stepped over where it lies
// at either end of a call's tokens.
func (e *emitter) shift(l *layer, side names.Side, s *family.Shift, y *graph.Value) *graph.Value {
	g, a := e.g, l.attn
	n, d := a.KVHeads, tieSize(a, string(side))
	prefix := l.at(side.Shifted())
	name := map[names.Side]string{names.K: "last_key", names.V: "last_value"}[side]
	past, present := e.state(l.i, name, n, d)
	last := g.Op("Unsqueeze", prefix+"/past/Unsqueeze", []*graph.Value{past, e.ints("axis1", 1)})
	kept := g.Op("Where", prefix+"/kept/Where", []*graph.Value{e.realTokens(), y, last})
	all := g.Op("Concat", prefix+"/Concat", []*graph.Value{last, kept}, graph.IntAttr("axis", 1))
	before := g.Op("Gather", prefix+"/before/Gather", []*graph.Value{all, e.maskBase().step}, graph.IntAttr("axis", 1))

	at := g.Op("Mul", prefix+"/last/Mul", []*graph.Value{e.lastReal(), e.int64Ones(n, d)})
	end := g.Op("GatherElements", prefix+"/last/GatherElements", []*graph.Value{all, at}, graph.IntAttr("axis", 1))
	out := g.Add(graph.Node{Op: "Squeeze", Name: prefix + "/last/Squeeze", In: []*graph.Value{end, e.ints("axis1", 1)}, Out: []string{present}})
	e.presents = append(e.presents, out[0])

	z := e.linear(prefix+"_gate", l.x, s.Gate)
	z = g.Op("Reshape", prefix+"_gate/Reshape", []*graph.Value{z, e.headShape(n, 1)})
	mix := g.Op("Sigmoid", prefix+"/Sigmoid", []*graph.Value{z})
	rest := g.Op("Sigmoid", prefix+"/rest/Sigmoid", []*graph.Value{g.Op("Neg", prefix+"/rest/Neg", []*graph.Value{z})})
	return g.Op("Add", prefix+"/Add", []*graph.Value{
		g.Op("Mul", prefix+"/before/Mul", []*graph.Value{mix, before}),
		g.Op("Mul", prefix+"/rest/Mul", []*graph.Value{rest, y}),
	})
}

// realTokens tells tokens from padding, (batch, sequence, 1, 1).
func (e *emitter) realTokens() *graph.Value {
	return e.once("/real/tokens", func() *graph.Value {
		v := e.g.Op("Cast", "/real/tokens/Cast", []*graph.Value{e.realNow()}, graph.IntAttr("to", int(graph.Bool)))
		return e.g.Op("Unsqueeze", "/real/tokens/Unsqueeze", []*graph.Value{v, e.ints("axes23", 2, 3)})
	})
}

// lastReal is one more than the index of each row's last token among this
// call's, 0 where all are padding: (batch, 1, 1, 1).
func (e *emitter) lastReal() *graph.Value {
	return e.once("/real/last", func() *graph.Value {
		g := e.g
		after := g.Op("Add", "/real/last/Add", []*graph.Value{e.maskBase().step, e.int64Scalar("1", 1)})
		v := g.Op("Mul", "/real/last/Mul", []*graph.Value{e.realNow(), after})
		v = g.Op("ReduceMax", "/real/last/ReduceMax", []*graph.Value{v, e.ints("axis1", 1)}, graph.IntAttr("keepdims", 1))
		return g.Op("Unsqueeze", "/real/last/Unsqueeze", []*graph.Value{v, e.ints("axes23", 2, 3)})
	})
}

// int64Ones is a constant of ones, (1, 1, n, d).
func (e *emitter) int64Ones(n, d int) *graph.Value {
	name := fmt.Sprintf("/const/ones%dx%d", n, d)
	return e.once(name, func() *graph.Value {
		raw := make([]byte, 8*n*d)
		for i := 0; i < len(raw); i += 8 {
			raw[i] = 1
		}
		return e.g.Tensor(name, graph.Int64, []int64{1, 1, int64(n), int64(d)}, raw)
	})
}
