package ops

import (
	"fmt"

	"github.com/pecvt/pecvt/onnxops/graph"
)

// relativeBias is RelativeBias: ALiBi (arXiv 2108.12409) and GRAPE-A (arXiv
// 2512.07805).
var relativeBias = func() Op {
	op := Op{
		Name:  "RelativeBias",
		Since: 1,
		Summary: "b_ij = (key_position_j − query_position_i)·(query_rate_i + key_rate_j). ALiBi has its slopes as query_rate and " +
			"0 as key_rate; a gate of the query or the key is a rate that differs by token.",
		Inputs: []Param{
			{"query_position", "float", "(B, S)", "positions of the queries"},
			{"key_position", "float", "(B, T)", "positions of all keys, the cache's first"},
			{"query_rate", "float", "(1 or B, H, 1 or S, 1)", "score units per position that the query sets"},
			{"key_rate", "float", "(1 or B, 1 or H, 1, 1 or T)", "score units per position that the key sets"},
		},
		Outputs: []Param{{"bias", "float", "(B, H, S, T)", "what is added to the scores"}},
	}
	define(&op, "Rate times distance.", func(c *graph.Call) ([]graph.Type, error) {
		if err := c.SameType(); err != nil {
			return nil, err
		}
		for i, n := range []int{2, 2, 4, 4} {
			if err := c.WantRank(i, n); err != nil {
				return nil, err
			}
		}
		q, k := c.In[0].Shape(), c.In[1].Shape()
		out := graph.Shape{q[0], c.In[2].Shape()[1], q[1], k[1]}
		if err := c.WantShape(1, graph.Shape{q[0], k[1]}); err != nil {
			return nil, err
		}
		for i := 2; i <= 3; i++ {
			for axis, d := range c.In[i].Shape() {
				if d != out[axis] && d != graph.Fixed(1) {
					return nil, fmt.Errorf("input %d has shape %s, which does not broadcast to %s", i, c.In[i].Shape(), out)
				}
			}
		}
		return []graph.Type{{DType: c.In[0].DType(), Shape: out}}, nil
	},
		constInts("query_axes", 1, 3),
		constInts("key_axes", 1, 2),
		step("i", "Unsqueeze", []string{"query_position", "query_axes"}),
		step("j", "Unsqueeze", []string{"key_position", "key_axes"}),
		step("distance", "Sub", []string{"j", "i"}),
		step("rate", "Add", []string{"query_rate", "key_rate"}),
		step("bias", "Mul", []string{"distance", "rate"}),
	)
	return op
}()
