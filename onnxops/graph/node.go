package graph

import (
	"fmt"
	"strings"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// Node is one operator to add.
type Node struct {
	Domain string   // "" is ai.onnx
	Op     string   // the operator's name
	Name   string   // the node's name, unique in the graph
	In     []*Value // nil where an optional input is left out
	Out    []string // the outputs' names; nil: Name + "_output_0"
	Attrs  []Attr
}

// Add appends a node, checks it against its operator's schema and returns its
// outputs. After an error it returns placeholders, so that calls may be chained.
func (g *Graph) Add(n Node) []*Value {
	outs := n.Out
	if outs == nil {
		outs = []string{n.Name + "_output_0"}
	}
	if g.err == nil {
		n.In = g.typed(n)
	}
	types, err := g.infer(n)
	if err == nil && len(types) < len(outs) {
		err = fmt.Errorf("has %d outputs, %d are named", len(types), len(outs))
	}
	if err != nil {
		g.Fail(fmt.Errorf("graph: node %q (%s): %w", n.Name, opName(n.Domain, n.Op), err))
	}
	if g.err != nil {
		vals := make([]*Value, len(outs))
		for i := range vals {
			vals[i] = &Value{name: outs[i]}
		}
		return vals
	}
	if l := g.lowering(n); l != nil {
		return g.expand(l, n, outs, types)
	}
	return g.put(n, outs, types)
}

// put appends a node that was checked.
func (g *Graph) put(n Node, outs []string, types []Type) []*Value {
	if f := g.custom[n.Domain+"."+n.Op]; f != nil {
		g.use(f)
	}
	if n.Domain == Microsoft {
		g.opsets[Microsoft] = 1
	}
	g.nodeNames[n.Name] = true
	pb := &onnxpb.NodeProto{Name: n.Name, OpType: n.Op, Domain: n.Domain, Output: outs, Attribute: n.Attrs}
	for _, v := range n.In {
		if v == nil {
			pb.Input = append(pb.Input, "")
			continue
		}
		pb.Input = append(pb.Input, v.name)
	}
	for len(pb.Input) > 0 && pb.Input[len(pb.Input)-1] == "" {
		pb.Input = pb.Input[:len(pb.Input)-1]
	}
	g.nodes = append(g.nodes, pb)
	if n.Op == "Cast" {
		g.uncast[outs[0]] = n.In[0]
	}
	vals := make([]*Value, len(outs))
	for i, name := range outs {
		vals[i] = g.add(name, types[i])
		g.interm = append(g.interm, vals[i])
	}
	return vals
}

// Op adds a node of ai.onnx with one output and returns that.
func (g *Graph) Op(op, name string, in []*Value, attrs ...Attr) *Value {
	return g.Add(Node{Op: op, Name: name, In: in, Attrs: attrs})[0]
}

// infer checks a node and returns its outputs' types.
func (g *Graph) infer(n Node) ([]Type, error) {
	if g.err != nil {
		return nil, g.err
	}
	if n.Name == "" || g.nodeNames[n.Name] {
		return nil, fmt.Errorf("node names must be there and differ")
	}
	key := n.Domain + "." + n.Op
	schema := builtin[key]
	if f := g.custom[key]; f != nil {
		schema = &f.Schema
	}
	if schema == nil {
		return nil, fmt.Errorf("no schema of this operator is known; it needs a row in package graph or ops")
	}
	if len(n.In) < schema.MinIn || len(n.In) > schema.MaxIn {
		return nil, fmt.Errorf("has %d inputs, expected %d to %d", len(n.In), schema.MinIn, schema.MaxIn)
	}
	for i, v := range n.In {
		if v == nil && i < schema.MinIn && !schema.Gaps {
			return nil, fmt.Errorf("input %d is left out, but it is not optional", i)
		}
		if v != nil && g.values[v.name] != v {
			return nil, fmt.Errorf("input %d (%s) is not a value of this graph", i, v.name)
		}
	}
	return schema.Infer(&Call{In: n.In, Attrs: n.Attrs, g: g, outs: len(n.Out)})
}

// use notes that the model needs the function f.
func (g *Graph) use(f *Function) {
	for _, u := range g.functions {
		if u == f {
			return
		}
	}
	g.functions = append(g.functions, f)
	g.opsets[f.Schema.Domain] = int64(f.Version)
}

func opName(domain, op string) string {
	return strings.TrimPrefix(domain+"."+op, ".")
}
