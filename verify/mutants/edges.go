package mutants

import "github.com/pecvt/pecvt/onnxops/onnxpb"

func addNode(name, a, b, out string) *onnxpb.NodeProto {
	return &onnxpb.NodeProto{OpType: "Add", Name: name, Input: []string{a, b}, Output: []string{out}}
}

func setText(n *onnxpb.NodeProto, name, v string) {
	for _, a := range n.Attribute {
		if a.GetName() == name {
			a.S = []byte(v)
			return
		}
	}
	n.Attribute = append(n.Attribute, &onnxpb.AttributeProto{Name: name, Type: onnxpb.AttributeProto_STRING, S: []byte(v)})
}

// rewire lets everything but the nodes given read another value.
func (g *Graph) rewire(from, to string, but ...*onnxpb.NodeProto) {
	for _, n := range g.model.Graph.Node {
		skip := false
		for _, b := range but {
			skip = skip || n == b
		}
		for i, in := range n.Input {
			if in == from && !skip {
				n.Input[i] = to
			}
		}
	}
}

// exchange takes a norm from behind a chain of nodes and puts it in front of it:
// first is the chain's first node, last its last one, input what the chain
// reads.
func (g *Graph) exchange(input, norm, first, last string) {
	n, f, l := g.node(norm), g.node(first), g.node(last)
	g.rewire(n.Output[0], l.Output[0])
	n.Input[0] = input
	f.Input[0] = n.Output[0]
	g.sortNodes()
}

// normLast takes the norm in front of a rotation, prefix + "_norm", and puts it
// behind it.
func (g *Graph) normLast(prefix string) {
	norm, transpose, turn := g.node(prefix+"_norm/RMSNormalization"), g.node(prefix+"/Transpose"), g.node(prefix+"/Rotation")
	g.rewire(turn.Output[0], norm.Output[0])
	transpose.Input[0], norm.Input[0] = norm.Input[0], turn.Output[0]
	g.sortNodes()
}
