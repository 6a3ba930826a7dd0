package onnxops

import (
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
)

// clamped emits what enters Down of an MLP with clamped gates, of what gate and up
// made; at names its places.
func (e *emitter) clamped(at func(place string) string, m *family.MLP, gate, up *graph.Value) *graph.Value {
	c := m.Clamp
	if m.Act != "silu" || !m.Gated {
		e.g.Fail(unsupported("clamped gates with activation %q: known is silu", m.Act))
		return up
	}
	op := func(op, name string, in ...*graph.Value) *graph.Value {
		return e.g.Op(op, names.Node(at(names.Act)+name, op), in)
	}
	number := func(v float64) *graph.Value { return e.scalar(fmt.Sprintf("clamp_%v", v), v) }
	gate = op("Clip", "/gate", gate, number(math.Inf(-1)), number(c.Limit))
	up = e.clipped(at(names.Act)+"/up", up, c.Limit)
	inner := gate
	if c.Alpha != 1 {
		inner = op("Mul", "/alpha", gate, number(c.Alpha))
	}
	gate = op("Mul", "", gate, op("Sigmoid", "", inner))
	if c.Offset != 0 {
		up = op("Add", "/offset", up, number(c.Offset))
	}
	return e.g.Op("Mul", names.Node(at(family.AtMLP), "Mul"), []*graph.Value{gate, up})
}
