package written

import (
	"google.golang.org/protobuf/proto"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// rotation turns the planes of heads: RotaryEmbedding as it stands, or products and
// sums of the parts of a head.
func rotation(g *group) node {
	if n := g.nodes[""]; n.GetOpType() == "RotaryEmbedding" {
		g.taken++
		one := proto.Clone(n).(node)
		one.OpType = "Rotation"
		return one
	}
	if g.has("pairs") {
		return interleaved(g)
	}
	halves := g.take("halves", "Split", 2, integer("axis", 3))
	sizes := g.intsOf(halves, 1)
	if len(sizes) < 2 || len(sizes) > 3 || sizes[0] != sizes[1] || len(halves.GetOutput()) < len(sizes) {
		g.fail("%s parts heads into %v: expected two halves and what does not turn", halves.GetName(), sizes)
		return nil
	}
	cos, sin, y1, y2 := g.turned(halves, 1)
	last := g.take("", "Concat", len(sizes), integer("axis", 3))
	g.reads(last, 0, y1)
	g.reads(last, 1, y2)
	if len(sizes) == 3 {
		g.reads(last, 2, halves.GetOutput()[2])
	}
	return turning(halves.GetInput()[0], cos, sin, out(last), 0, 2*sizes[0])
}

// interleaved turns coordinates (2p, 2p + 1), side by side in an axis of their own.
func interleaved(g *group) node {
	pairs := g.take("pairs", "Reshape", 2)
	to := g.intsOf(pairs, 1)
	if len(to) != 5 || to[0] != 0 || to[1] != 0 || to[2] != 0 || to[3] < 1 || to[4] != 2 {
		g.fail("%s reshapes to %v: expected [0 0 0 planes 2]", pairs.GetName(), to)
		return nil
	}
	r := 2 * to[3]
	halves := g.take("halves", "Split", 2, integer("axis", 4))
	g.reads(halves, 0, out(pairs))
	g.areInts(halves, 1, 1, 1)
	cos, sin, y1, y2 := g.turned(halves, 1, 4)
	joined := g.take("joined", "Concat", 2, integer("axis", 4))
	g.reads(joined, 0, y1)
	g.reads(joined, 1, y2)
	if !g.has("rest") {
		last := g.take("", "Reshape", 2)
		g.reads(last, 0, out(joined))
		g.areInts(last, 1, 0, 0, 0, r)
		return turning(pairs.GetInput()[0], cos, sin, out(last), 1, r)
	}
	rest := g.take("rest", "Split", 2, integer("axis", 3))
	if sizes := g.intsOf(rest, 1); len(sizes) != 2 || sizes[0] != r || len(rest.GetOutput()) != 2 {
		g.fail("%s parts heads into %v: expected %d numbers that turn, and the rest", rest.GetName(), sizes, r)
		return nil
	}
	g.reads(pairs, 0, out(rest))
	flat := g.take("flat", "Reshape", 2)
	g.reads(flat, 0, out(joined))
	g.areInts(flat, 1, 0, 0, 0, r)
	last := g.take("", "Concat", 2, integer("axis", 3))
	g.reads(last, 0, out(flat))
	g.reads(last, 1, rest.GetOutput()[1])
	return turning(rest.GetInput()[0], cos, sin, out(last), 1, r)
}

// turned reads y1 = x1·cos − x2·sin, y2 = x2·cos + x1·sin of the first two outputs of
// a split; axes are those that cosines and sines lack.
func (g *group) turned(halves node, axes ...int64) (cosines, sines, y1, y2 string) {
	cos := g.take("cos", "Unsqueeze", 2)
	g.areInts(cos, 1, axes...)
	sin := g.take("sin", "Unsqueeze", 2)
	g.areInts(sin, 1, axes...)
	product := func(step string, part int, by node) string {
		n := g.take(step, "Mul", 2)
		if part < len(halves.GetOutput()) {
			g.reads(n, 0, halves.GetOutput()[part])
		}
		g.reads(n, 1, out(by))
		return out(n)
	}
	combined := func(step, op, a, b string) string {
		n := g.take(step, op, 2)
		g.reads(n, 0, a)
		g.reads(n, 1, b)
		return out(n)
	}
	y1 = combined("first", "Sub", product("first_cos", 0, cos), product("second_sin", 1, sin))
	y2 = combined("second", "Add", product("second_cos", 1, cos), product("first_sin", 0, sin))
	return cos.GetInput()[0], sin.GetInput()[0], y1, y2
}

func turning(x, cos, sin, y string, interleaved, r int64) node {
	return &onnxpb.NodeProto{OpType: "Rotation", Input: []string{x, cos, sin}, Output: []string{y},
		Attribute: []*onnxpb.AttributeProto{integer("interleaved", interleaved), integer("rotary_embedding_dim", r)}}
}
