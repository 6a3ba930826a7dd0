package lower

import (
	"github.com/pecvt/pecvt/onnxops/graph"
)

// rotary turns the planes of heads (B, N, S, D) by cosines and sines (B, S, r/2):
// y1 = x1·cos − x2·sin, y2 = x2·cos + x1·sin, (x1, x2) the halves of the first r
// coordinates, or with interleaved = 1 their even and odd ones. The other D − r
// pass unchanged.
func rotary(x *graph.Expansion) {
	d := x.In[0].Shape()[3].N
	r := x.Int("rotary_embedding_dim", 0)
	if r == 0 {
		r = d
	}
	interleaved := x.Int("interleaved", 0) != 0
	turned, rest := x.In[0], (*graph.Value)(nil)
	switch {
	case !interleaved && r < d:
		parts := x.Split("halves", "Split", 3, []*graph.Value{turned, x.Ints(r/2, r/2, d-r)}, graph.IntAttr("axis", 3))
		turn(x, parts[0], parts[1], parts[2], -1)
		return
	case r < d:
		parts := x.Split("rest", "Split", 2, []*graph.Value{turned, x.Ints(r, d-r)}, graph.IntAttr("axis", 3))
		turned, rest = parts[0], parts[1]
	}
	if !interleaved {
		parts := x.Split("halves", "Split", 2, []*graph.Value{turned, x.Ints(r/2, r/2)}, graph.IntAttr("axis", 3))
		turn(x, parts[0], parts[1], nil, -1)
		return
	}
	pairs := x.Op("pairs", "Reshape", []*graph.Value{turned, x.Ints(0, 0, 0, r/2, 2)})
	parts := x.Split("halves", "Split", 2, []*graph.Value{pairs, x.Ints(1, 1)}, graph.IntAttr("axis", 4))
	turn(x, parts[0], parts[1], rest, r)
}

// turn adds the products, and joins them with what passes. r is the number of
// coordinates of planes side by side, which are then columns of one more axis; −1
// for halves.
func turn(x *graph.Expansion, x1, x2, rest *graph.Value, r int64) {
	axes, axis := []int64{1}, 3
	if r >= 0 {
		axes, axis = []int64{1, 4}, 4
	}
	cos := x.Op("cos", "Unsqueeze", []*graph.Value{x.In[1], x.Ints(axes...)})
	sin := x.Op("sin", "Unsqueeze", []*graph.Value{x.In[2], x.Ints(axes...)})
	product := func(step string, a, b *graph.Value) *graph.Value {
		return x.Op(step, "Mul", []*graph.Value{a, b})
	}
	y1 := x.Op("first", "Sub", []*graph.Value{product("first_cos", x1, cos), product("second_sin", x2, sin)})
	y2 := x.Op("second", "Add", []*graph.Value{product("second_cos", x2, cos), product("first_sin", x1, sin)})
	joined := []*graph.Value{y1, y2}
	switch {
	case r < 0 && rest != nil:
		x.Last("Concat", append(joined, rest), graph.IntAttr("axis", axis))
	case r < 0:
		x.Last("Concat", joined, graph.IntAttr("axis", axis))
	case rest != nil:
		flat := x.Op("flat", "Reshape", []*graph.Value{x.Op("joined", "Concat", joined, graph.IntAttr("axis", axis)), x.Ints(0, 0, 0, r)})
		x.Last("Concat", []*graph.Value{flat, rest}, graph.IntAttr("axis", 3))
	default:
		x.Last("Reshape", []*graph.Value{x.Op("joined", "Concat", joined, graph.IntAttr("axis", axis)), x.Ints(0, 0, 0, r)})
	}
}
