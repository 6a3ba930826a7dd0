package lower

import (
	"math"

	"github.com/pecvt/pecvt/onnxops/graph"
)

// gelu is x/2·(1 + erf(x/√2)), or with approximate = "tanh"
// x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))).
func gelu(x *graph.Expansion) {
	in := x.In[0]
	var v *graph.Value
	if a := x.Attr("approximate"); a != nil && string(a.GetS()) == "tanh" {
		v = x.Op("cube", "Pow", []*graph.Value{in, x.Number(3)})
		v = x.Op("cubic", "Mul", []*graph.Value{v, x.Number(0.044715)})
		v = x.Op("sum", "Add", []*graph.Value{in, v})
		v = x.Op("scaled", "Mul", []*graph.Value{v, x.Number(math.Sqrt(2 / math.Pi))})
		v = x.Op("tanh", "Tanh", []*graph.Value{v})
	} else {
		v = x.Op("scaled", "Div", []*graph.Value{in, x.Number(math.Sqrt2)})
		v = x.Op("erf", "Erf", []*graph.Value{v})
	}
	v = x.Op("above", "Add", []*graph.Value{v, x.Number(1)})
	v = x.Op("product", "Mul", []*graph.Value{in, v})
	x.Last("Mul", []*graph.Value{v, x.Number(0.5)})
}
