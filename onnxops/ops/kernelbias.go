package ops

import (
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// logBias and powerBias are LogBias and PowerBias: KERPLE (arXiv 2205.09921).
var (
	logBias = kernelBias("LogBias", "b_ij = −r1·log(1 + r2·max(query_position_i − key_position_j, 0)).", "A logarithm of the distance.",
		// x·log(u)/(u − 1) with u = 1 + x rounded, which is log(1 + x) to the last bits
		// however small x is, and x where u is 1
		constFloat("one", 1),
		step("x", "Mul", []string{"distance", "r2"}),
		step("u", "Add", []string{"x", "one"}),
		step("log", "Log", []string{"u"}),
		step("over", "Sub", []string{"u", "one"}),
		step("ratio", "Div", []string{"log", "over"}),
		step("product", "Mul", []string{"ratio", "x"}),
		step("tiny", "Equal", []string{"u", "one"}),
		step("kernel", "Where", []string{"tiny", "x", "product"}),
	)
	powerBias = kernelBias("PowerBias", "b_ij = −r1·max(query_position_i − key_position_j, 0)^r2.", "A power of the distance.",
		step("kernel", "Pow", []string{"distance", "r2"}),
	)
)

// kernelBias is an operator whose steps make kernel of distance and r2. A key after
// the query, which a mask hides, is at distance 0, since no power of less is a number.
func kernelBias(name, formula, about string, kernel ...*onnxpb.NodeProto) Op {
	op := Op{
		Name:    name,
		Since:   1,
		Summary: formula,
		Inputs: []Param{
			{"query_position", "float", "(B, S)", "positions of the queries"},
			{"key_position", "float", "(B, T)", "positions of all keys, the cache's first"},
			{"r1", "float", "(1, H, 1, 1)", "score units per head, 0 or more"},
			{"r2", "float", "(1, H, 1, 1)", "per position, or an exponent, above 0"},
		},
		Outputs: []Param{{"bias", "float", "(B, H, S, T)", "what is added to the scores"}},
	}
	steps := []*onnxpb.NodeProto{
		constInts("query_axes", 1, 3),
		constInts("key_axes", 1, 2),
		step("i", "Unsqueeze", []string{"query_position", "query_axes"}),
		step("j", "Unsqueeze", []string{"key_position", "key_axes"}),
		step("ahead", "Sub", []string{"i", "j"}),
		step("distance", "Relu", []string{"ahead"}),
	}
	steps = append(steps, kernel...)
	steps = append(steps, step("rate", "Neg", []string{"r1"}), step("bias", "Mul", []string{"kernel", "rate"}))
	define(&op, about, func(c *graph.Call) ([]graph.Type, error) {
		if err := c.SameType(); err != nil {
			return nil, err
		}
		for i, n := range []int{2, 2, 4, 4} {
			if err := c.WantRank(i, n); err != nil {
				return nil, err
			}
		}
		q, k, heads := c.In[0].Shape(), c.In[1].Shape(), c.In[2].Shape()[1]
		if err := c.WantShape(1, graph.Shape{q[0], k[1]}); err != nil {
			return nil, err
		}
		for i := 2; i <= 3; i++ {
			if err := c.WantShape(i, graph.Shape{graph.Fixed(1), heads, graph.Fixed(1), graph.Fixed(1)}); err != nil {
				return nil, err
			}
		}
		return []graph.Type{{DType: c.In[0].DType(), Shape: graph.Shape{q[0], heads, q[1], k[1]}}}, nil
	}, steps...)
	return op
}
