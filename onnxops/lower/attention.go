package lower

import (
	"fmt"
	"math"

	"github.com/pecvt/pecvt/onnxops/graph"
)

// attention is softmax(scale·q kᵀ + mask) v over the past and this call's keys:
//
//	key = [past_key, k], value = [past_value, v]    the present outputs
//	scores = q keyᵀ·scale + mask, float32 (B, N, S, T)
//
// Where N query heads share G key heads, queries of one group are rows of one
// product, (B, G, S·N/G, D), so that no key is copied for them. The product is
// scaled after it is summed, as ONNX Runtime's kernel does: coordinates of a lowered
// bias cancel exactly before.
func attention(x *graph.Expansion) {
	if !x.Has(3) || !x.Has(4) {
		x.Fail(fmt.Errorf("attention without a mask or a past has no older form here"))
		return
	}
	for _, a := range x.Attrs {
		if a.GetName() != "scale" {
			x.Fail(fmt.Errorf("attention with %s has no older form here", a.GetName()))
			return
		}
	}
	q, mask := x.In[0], x.In[3]
	heads, groups := q.Shape()[1].N, x.In[1].Shape()[1].N
	key := x.Output(1, "key", "Concat", []*graph.Value{x.In[4], x.In[1]}, graph.IntAttr("axis", 2))
	value := x.Output(2, "value", "Concat", []*graph.Value{x.In[5], x.In[2]}, graph.IntAttr("axis", 2))
	columns := x.Op("columns", "Transpose", []*graph.Value{key}, graph.IntsAttr("perm", 0, 1, 3, 2))
	shared := heads != groups
	regroup := func(step string, v *graph.Value, n, last int64) *graph.Value {
		if !shared {
			return v
		}
		return x.Op(step, "Reshape", []*graph.Value{v, x.Ints(0, n, -1, last)})
	}
	scores := x.Op("product", "MatMul", []*graph.Value{regroup("groups", q, groups, 0), columns})
	scores = x.Op("scale", "Mul", []*graph.Value{scores, x.Number(x.Float("scale", 1/math.Sqrt(float64(q.Shape()[3].N))))})
	scores = regroup("scores", scores, heads, 0)
	scores = x.Op("masked", "Add", []*graph.Value{scores, mask})
	scores = x.Op("softmax", "Softmax", []*graph.Value{scores}, graph.IntAttr("axis", -1))
	in := []*graph.Value{regroup("shares", scores, groups, 0), value}
	if !shared {
		x.Last("MatMul", in)
		return
	}
	x.Last("Reshape", []*graph.Value{x.Op("context", "MatMul", in), x.Ints(0, heads, -1, 0)})
}
