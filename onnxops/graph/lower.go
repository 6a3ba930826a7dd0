package graph

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// Lowering writes an operator out in others. [Graph.Lower] gives it to a graph,
// whose [Graph.Add] then puts what Expand adds in the operator's place. The last
// node keeps the name of the one written out, so that a value is found under it in
// every form of a graph; those before it have names below it, name/step.
type Lowering struct {
	Domain, Op string
	// Since is the operator set of ai.onnx that brought the operator, or the form
	// of it that callers use: from it on the operator stands as it is. 0 writes it
	// out always.
	Since int
	// Expand adds the nodes. The call's inputs and attributes have passed the
	// operator's own schema.
	Expand func(x *Expansion)
}

// Lower has operators written out from now on. A later lowering of an operator
// takes the place of an earlier one.
func (g *Graph) Lower(list ...Lowering) {
	for i := range list {
		g.lowerings[list[i].Domain+"."+list[i].Op] = &list[i]
	}
}

// lowering is what writes a node out, nil where it stands as it is.
func (g *Graph) lowering(n Node) *Lowering {
	l := g.lowerings[n.Domain+"."+n.Op]
	if l == nil || l.Since > 0 && g.opsets[""] >= int64(l.Since) {
		return nil
	}
	return l
}

// Expansion is a node that is being written out.
type Expansion struct {
	*Call
	node  Node
	outs  []string
	types []Type
}

// expand runs a lowering and holds what it made against what the operator gives.
func (g *Graph) expand(l *Lowering, n Node, outs []string, types []Type) []*Value {
	x := &Expansion{Call: &Call{In: n.In, Attrs: n.Attrs, g: g}, node: n, outs: outs, types: types}
	l.Expand(x)
	vals := make([]*Value, len(outs))
	for i, name := range outs {
		v := g.values[name]
		switch {
		case g.err != nil:
		case v == nil:
			g.Fail(fmt.Errorf("graph: node %q (%s): written out without its output %d", n.Name, opName(n.Domain, n.Op), i))
		case v.DType() != types[i].DType || !v.Shape().Equal(types[i].Shape):
			g.Fail(fmt.Errorf("graph: node %q (%s): written out, its output %d is %s %s, expected %s %s",
				n.Name, opName(n.Domain, n.Op), i, v.DType(), v.Shape(), types[i].DType, types[i].Shape))
		}
		if v == nil {
			v = &Value{name: name}
		}
		vals[i] = v
	}
	return vals
}

// Op adds a step of one output.
func (x *Expansion) Op(step, op string, in []*Value, attrs ...Attr) *Value {
	return x.g.Op(op, x.node.Name+"/"+step, in, attrs...)
}

// Split adds a step of several outputs, name/step_output_0 and so on.
func (x *Expansion) Split(step, op string, n int, in []*Value, attrs ...Attr) []*Value {
	name := x.node.Name + "/" + step
	outs := make([]string, n)
	for i := range outs {
		outs[i] = fmt.Sprintf("%s_output_%d", name, i)
	}
	return x.g.Add(Node{Op: op, Name: name, In: in, Out: outs, Attrs: attrs})
}

// Output adds the step that computes output i of the operator, one that the last
// node does not. Where the caller does not want it, it is a step like others.
func (x *Expansion) Output(i int, step, op string, in []*Value, attrs ...Attr) *Value {
	if i >= len(x.outs) {
		return x.Op(step, op, in, attrs...)
	}
	return x.g.Add(Node{Op: op, Name: x.node.Name + "/" + step, In: in, Out: x.outs[i : i+1], Attrs: attrs})[0]
}

// Last adds the last node, which computes output 0 under the operator's own name.
func (x *Expansion) Last(op string, in []*Value, attrs ...Attr) {
	x.g.Add(Node{Op: op, Name: x.node.Name, In: in, Out: x.outs[:1], Attrs: attrs})
}

// Same adds the operator itself, spelled in another way: with other inputs or
// attributes.
func (x *Expansion) Same(in []*Value, attrs ...Attr) {
	for _, v := range x.In {
		if v != nil && !slices.Contains(in, v) {
			x.g.spared[v.name] = true
		}
	}
	x.g.put(Node{Domain: x.node.Domain, Op: x.node.Op, Name: x.node.Name, In: in, Attrs: attrs}, x.outs, x.types)
}

// Fail records that the call has no such form; the graph names the node.
func (x *Expansion) Fail(err error) {
	x.g.Fail(fmt.Errorf("graph: node %q (%s): %w", x.node.Name, opName(x.node.Domain, x.node.Op), err))
}

// Constants are the elements of input i, which must be constant integers.
func (x *Expansion) Constants(i int) ([]int, error) {
	list, err := x.knownInts(i)
	out := make([]int, len(list))
	for k, v := range list {
		out[k] = int(v)
	}
	return out, err
}

// needed are the initializers without those constants that were made for nodes which
// then were spelled without them, and that no other node reads.
func (g *Graph) needed() []*onnxpb.TensorProto {
	if len(g.spared) == 0 {
		return g.initializers
	}
	read := map[string]bool{}
	for _, n := range g.nodes {
		for _, in := range n.GetInput() {
			read[in] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(g.initializers), func(t *onnxpb.TensorProto) bool {
		return g.spared[t.GetName()] && !read[t.GetName()]
	})
}

// Float is the float attribute called name, or def where it is absent.
func (x *Expansion) Float(name string, def float64) float64 {
	if a := x.Attr(name); a != nil {
		return float64(a.GetF())
	}
	return def
}

// Ints is a constant int64 vector, made once for each content.
func (x *Expansion) Ints(v ...int64) *Value {
	name := x.g.within + "/const/ints" + strings.ReplaceAll(strings.Trim(fmt.Sprint(v), "[]"), " ", "_")
	return x.shared(name, func() *Value { return x.g.Ints(name, v...) })
}

// Number is a constant float32 scalar, made once for each.
func (x *Expansion) Number(v float64) *Value {
	name := fmt.Sprint(x.g.within+"/const/number", float32(v))
	return x.shared(name, func() *Value { return x.g.Scalar(name, v) })
}

// shared is a constant that several expansions read.
func (x *Expansion) shared(name string, make func() *Value) *Value {
	if v := x.g.shared[name]; v != nil {
		return v
	}
	v := make()
	x.g.shared[name] = v
	return v
}
