package lower

import (
	"fmt"
	"math"

	"github.com/pecvt/pecvt/onnxops/graph"
)

// attention is softmax(scale·q kᵀ + mask) v over the past and this call's keys:
//
//	key = [past_key, k], value = [past_value, v]    the present outputs; k and v without a past
//	scores = cap(q keyᵀ·scale) + mask, float32 (B, N, S, T); cap(s) = c·tanh(s/c) with softcap c
//
// Where N query heads share G key heads, queries of one group are rows of one
// product, (B, G, S·N/G, D), so that no key is copied for them. The product is
// scaled after it is summed, as ONNX Runtime's kernel does: coordinates of a lowered
// bias cancel exactly before.
func attention(x *graph.Expansion) {
	if !x.Has(3) {
		x.Fail(fmt.Errorf("attention without a mask has no older form here"))
		return
	}
	for _, a := range x.Attrs {
		if a.GetName() != "scale" && a.GetName() != "softcap" {
			x.Fail(fmt.Errorf("attention with %s has no older form here", a.GetName()))
			return
		}
	}
	q, mask := x.In[0], x.In[3]
	heads, groups := q.Shape()[1].N, x.In[1].Shape()[1].N
	key, value := x.In[1], x.In[2]
	if x.Has(4) {
		key = x.Output(1, "key", "Concat", []*graph.Value{x.In[4], key}, graph.IntAttr("axis", 2))
		value = x.Output(2, "value", "Concat", []*graph.Value{x.In[5], value}, graph.IntAttr("axis", 2))
	}
	columns := x.Op("columns", "Transpose", []*graph.Value{key}, graph.IntsAttr("perm", 0, 1, 3, 2))
	softmax := func(product *graph.Value, among func(scores *graph.Value) *graph.Value) *graph.Value {
		v := x.Op("scale", "Mul", []*graph.Value{product, x.Number(x.Float("scale", 1/math.Sqrt(float64(q.Shape()[3].N))))})
		if c := x.Float("softcap", 0); c > 0 {
			v = x.Op("capped_ratio", "Div", []*graph.Value{v, x.Number(c)})
			v = x.Op("capped_tanh", "Tanh", []*graph.Value{v})
			v = x.Op("capped", "Mul", []*graph.Value{v, x.Number(c)})
		}
		v = x.Op("masked", "Add", []*graph.Value{among(v), mask})
		return x.Op("softmax", "Softmax", []*graph.Value{v}, graph.IntAttr("axis", -1))
	}
	if heads == groups {
		shares := softmax(x.Op("product", "MatMul", []*graph.Value{q, columns}), func(v *graph.Value) *graph.Value { return v })
		x.Last("MatMul", []*graph.Value{shares, value})
		return
	}
	rows := x.Op("groups", "Reshape", []*graph.Value{q, x.Ints(0, groups, -1, 0)})
	shares := softmax(x.Op("product", "MatMul", []*graph.Value{rows, columns}), func(v *graph.Value) *graph.Value {
		return regrouped(x, "scores", v, heads, q)
	})
	shares = regrouped(x, "shares", shares, groups, rows)
	x.Last("Reshape", []*graph.Value{x.Op("context", "MatMul", []*graph.Value{shares, value}), x.Ints(0, heads, -1, 0)})
}

// regrouped has scores (B, ·, ·, T) in n heads of as many rows as like has. The number
// is read of it and not left to be found: tract does not divide by the sum that T is.
func regrouped(x *graph.Expansion, step string, scores *graph.Value, n int64, like *graph.Value) *graph.Value {
	rows := x.Op(step+"_rows", "Shape", []*graph.Value{like}, graph.IntAttr("start", 2), graph.IntAttr("end", 3))
	shape := x.Op(step+"_shape", "Concat", []*graph.Value{x.Ints(0, n), rows, x.Ints(0)}, graph.IntAttr("axis", 0))
	return x.Op(step, "Reshape", []*graph.Value{scores, shape})
}
