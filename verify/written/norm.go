package written

import "github.com/pecvt/pecvt/onnxops/onnxpb"

// rmsNorm is w·x / √(mean(x²) + ε).
func rmsNorm(g *group) node {
	square := g.take("square", "Pow", 2)
	g.isNumber(square, 1, 2)
	x := square.GetInput()[0]
	mean := g.mean(out(square))
	epsilon := g.take("epsilon", "Add", 2)
	g.reads(epsilon, 0, out(mean))
	root := g.take("root", "Sqrt", 1)
	g.reads(root, 0, out(epsilon))
	normalized := g.take("normalized", "Div", 2)
	g.reads(normalized, 0, x)
	g.reads(normalized, 1, out(root))
	last := g.take("", "Mul", 2)
	g.reads(last, 0, out(normalized))
	return &onnxpb.NodeProto{
		OpType: "RMSNormalization", Input: []string{x, last.GetInput()[1]}, Output: []string{out(last)},
		Attribute: []*onnxpb.AttributeProto{integer("axis", -1), number("epsilon", g.numberOf(epsilon, 1))},
	}
}

// mean is the mean over the last axis, which operator sets before 18 have as an
// attribute.
func (g *group) mean(of string) node {
	inputs, attrs := 2, []*onnxpb.AttributeProto(nil)
	if n := g.nodes["mean"]; n != nil && len(n.GetInput()) == 1 {
		inputs, attrs = 1, []*onnxpb.AttributeProto{integers("axes", -1)}
	}
	n := g.take("mean", "ReduceMean", inputs, attrs...)
	g.reads(n, 0, of)
	if inputs == 2 {
		g.areInts(n, 1, -1)
	}
	return n
}
