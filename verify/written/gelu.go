package written

import (
	"math"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// gelu is x/2·(1 + erf(x/√2)), or with tanh x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))).
func gelu(g *group) node {
	var x, inner, approximate string
	if g.has("tanh") {
		approximate = "tanh"
		cube := g.take("cube", "Pow", 2)
		g.isNumber(cube, 1, 3)
		x = cube.GetInput()[0]
		cubic := g.take("cubic", "Mul", 2)
		g.reads(cubic, 0, out(cube))
		g.isNumber(cubic, 1, 0.044715)
		sum := g.take("sum", "Add", 2)
		g.reads(sum, 0, x)
		g.reads(sum, 1, out(cubic))
		scaled := g.take("scaled", "Mul", 2)
		g.reads(scaled, 0, out(sum))
		g.isNumber(scaled, 1, math.Sqrt(2/math.Pi))
		tanh := g.take("tanh", "Tanh", 1)
		g.reads(tanh, 0, out(scaled))
		inner = out(tanh)
	} else {
		approximate = "none"
		scaled := g.take("scaled", "Div", 2)
		g.isNumber(scaled, 1, math.Sqrt2)
		x = scaled.GetInput()[0]
		erf := g.take("erf", "Erf", 1)
		g.reads(erf, 0, out(scaled))
		inner = out(erf)
	}
	above := g.take("above", "Add", 2)
	g.reads(above, 0, inner)
	g.isNumber(above, 1, 1)
	product := g.take("product", "Mul", 2)
	g.reads(product, 0, x)
	g.reads(product, 1, out(above))
	last := g.take("", "Mul", 2)
	g.reads(last, 0, out(product))
	g.isNumber(last, 1, 0.5)
	return &onnxpb.NodeProto{OpType: "Gelu", Input: []string{x}, Output: []string{out(last)},
		Attribute: []*onnxpb.AttributeProto{text("approximate", approximate)}}
}
