package onnxops

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
)

// gateOps are the operators of gates' activations.
var gateOps = map[string]string{"sigmoid": "Sigmoid", "softplus": "Softplus"}

// outGate emits y, the heads' output (batch*sequence, heads*head size), times the
// activation of the gate, which reads x. What a head shares stands beside its numbers.
func (e *emitter) outGate(i int, a *family.Attention, x, y *graph.Value) *graph.Value {
	gate := a.OutGate
	if gate == nil {
		return y
	}
	g, at := e.g, func(place string) string { return names.Layer(i, place) }
	act, n := gateOps[gate.Act], gate.Width()
	perHead := n != a.Heads*a.VDim
	if act == "" || perHead && n != a.Heads {
		g.Fail(fmt.Errorf("layer %d: %w", i, unsupported("a gate of %d numbers and activation %q on %d heads of %d", n, gate.Act, a.Heads, a.VDim)))
		return y
	}
	z := e.linear(at(family.AtOutGate), x, gate.Linear)
	heads := func(width int) *graph.Value {
		return e.ints(fmt.Sprintf("rows%dx%d", a.Heads, width), -1, int64(a.Heads), int64(width))
	}
	apart := perHead || gate.HeadBias != nil
	if apart {
		z = g.Op("Reshape", at(family.AtOutGate)+names.Reshape, []*graph.Value{z, heads(n / a.Heads)})
		y = g.Op("Reshape", at(names.Gated)+"/heads"+names.Reshape, []*graph.Value{y, heads(a.VDim)})
	}
	if gate.HeadBias != nil {
		b := g.Op("Unsqueeze", at(family.AtOutGate)+"/head_bias/Unsqueeze", []*graph.Value{e.weights.float32(*gate.HeadBias), e.ints("axis1", 1)})
		z = g.Op("Add", names.Node(at(family.AtOutGate), "Add"), []*graph.Value{z, b})
	}
	z = g.Op(act, names.Node(at(family.AtOutGate), act), []*graph.Value{z})
	y = g.Op("Mul", names.Node(at(names.Gated), "Mul"), []*graph.Value{y, z})
	if apart {
		y = g.Op("Reshape", at(names.Gated)+names.Reshape, []*graph.Value{y, e.rows(a.Heads * a.VDim)})
	}
	return y
}
