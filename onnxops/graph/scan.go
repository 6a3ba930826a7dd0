package graph

import (
	"fmt"
	"slices"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// Scan is a loop over the slices of its inputs along an axis, which carries states
// from one to the next: the operator of that name, with a body that reads nothing
// of the graph around it but what it is given.
type Scan struct {
	Name string
	// States are the first step's, Inputs what is cut along Axis; so is what the
	// steps give joined again.
	States, Inputs []*Value
	Axis           int
	// Out names the last states and what was joined; nil: Name + "_output_0" …
	Out []string
	// Body adds one step to b: of the states and of a slice of each input, without
	// the axis, it makes the next states and what it gives. Nodes and constants in
	// it have names of their own in the whole model.
	Body func(b *Graph, states, slices []*Value) (next, out []*Value)
}

// Scan adds the loop and returns the last states, then what the steps gave. The
// states keep their types and shapes.
func (g *Graph) Scan(s Scan) []*Value {
	if g.computes != 0 && g.scope != 0 { // what the body is given has the type of what it holds
		for _, list := range [][]*Value{s.States, s.Inputs} {
			for i, v := range list {
				if v != nil && isFloat(v.DType()) {
					list[i] = g.Typed(v, g.scope)
				}
			}
		}
	}
	b := g.inner(s.Name)
	states, cut := make([]*Value, len(s.States)), make([]*Value, len(s.Inputs))
	for i, v := range s.States {
		states[i] = b.Input(fmt.Sprintf("%s/state%d", s.Name, i), v.DType(), v.Shape())
	}
	var steps Dim
	for i, v := range s.Inputs {
		if s.Axis < 0 || s.Axis >= v.Rank() {
			g.Fail(fmt.Errorf("graph: node %q (Scan): input %s has shape %s, without axis %d", s.Name, v.Name(), v.Shape(), s.Axis))
			return make([]*Value, len(s.Out))
		}
		if steps = v.Shape()[s.Axis]; steps != s.Inputs[0].Shape()[s.Axis] {
			g.Fail(fmt.Errorf("graph: node %q (Scan): inputs of %s and of %s steps", s.Name, s.Inputs[0].Shape()[s.Axis], steps))
		}
		cut[i] = b.Input(fmt.Sprintf("%s/slice%d", s.Name, i), v.DType(), slices.Delete(slices.Clone(v.Shape()), s.Axis, s.Axis+1))
	}
	next, out := s.Body(b, states, cut)
	g.Fail(b.err)
	types := make([]Type, 0, len(next)+len(out))
	for i, v := range next {
		if g.err == nil && (i >= len(states) || v.DType() != states[i].DType() || !v.Shape().Equal(states[i].Shape())) {
			g.Fail(fmt.Errorf("graph: node %q (Scan): the next state %d is %s %s, which the step before is not", s.Name, i, v.DType(), v.Shape()))
		}
		b.Output(v)
		types = append(types, v.typ)
	}
	for _, v := range out {
		b.Output(v)
		types = append(types, Type{DType: v.DType(), Shape: slices.Insert(slices.Clone(v.Shape()), min(s.Axis, v.Rank()), steps)})
	}
	g.absorb(b)
	outs := s.Out
	for i := len(outs); i < len(types); i++ {
		outs = append(outs, fmt.Sprintf("%s_output_%d", s.Name, i))
	}
	if g.err == nil && (s.Name == "" || g.nodeNames[s.Name]) {
		g.Fail(fmt.Errorf("graph: node %q (Scan): node names must be there and differ", s.Name))
	}
	if g.err != nil {
		vals := make([]*Value, len(outs))
		for i := range vals {
			vals[i] = &Value{name: outs[i]}
		}
		return vals
	}
	attrs := []Attr{{Name: "body", Type: onnxpb.AttributeProto_GRAPH, G: b.proto()}, IntAttr("num_scan_inputs", len(cut))}
	if s.Axis != 0 {
		attrs = append(attrs, IntsAttr("scan_input_axes", slices.Repeat([]int{s.Axis}, len(cut))...), IntsAttr("scan_output_axes", slices.Repeat([]int{s.Axis}, len(out))...))
	}
	return g.put(Node{Op: "Scan", Name: s.Name, In: slices.Concat(s.States, s.Inputs), Attrs: attrs}, outs, types)
}

// inner is an empty graph within this one: with its operators, operator sets and
// lowerings.
func (g *Graph) inner(name string) *Graph {
	b := New(name, int(g.opsets[""]))
	b.sums, b.custom, b.lowerings, b.within = g.sums, g.custom, g.lowerings, name
	return b
}

// absorb notes what an inner graph uses, and that its names are taken.
func (g *Graph) absorb(b *Graph) {
	for _, f := range b.functions {
		g.use(f)
	}
	for domain, version := range b.opsets {
		g.opsets[domain] = version
	}
	for name, v := range b.values {
		if g.values[name] != nil {
			g.Fail(fmt.Errorf("graph: %s: two values are called %q", g.name, name))
		}
		g.values[name] = v
	}
	for name := range b.nodeNames {
		if g.nodeNames[name] {
			g.Fail(fmt.Errorf("graph: %s: two nodes are called %q", g.name, name))
		}
		g.nodeNames[name] = true
	}
}
