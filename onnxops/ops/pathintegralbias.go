package ops

import (
	"github.com/pecvt/pecvt/onnxops/graph"
)

// pathIntegralBias is PathIntegralBias: GRAPE-AP (arXiv 2512.07805, section 4).
var pathIntegralBias = func() Op {
	op := Op{
		Name:  "PathIntegralBias",
		Since: 1,
		Summary: "b_ij = Σ_{l=j+1..i} beta·log σ(<query_i, key_l>/d): the sum runs over the keys after j that are visible to i. " +
			"The query's path vector is as projected, the key's is divided by its root mean square and turned by its position.",
		Inputs: []Param{
			{"query", "float", "(B, H, S, d)", "path vectors of the queries: batch, heads, positions, width"},
			{"key", "float", "(B, H, T, d)", "path vectors of all keys, the cache's first"},
			{"beta", "float", "(1, H, 1, 1)", "β per head, in score units per position and log gate"},
			{"visible", "bool", "(B, 1, S, T)", "whether query i sees key l; l > i and padding are not"},
		},
		Outputs: []Param{{"bias", "float", "(B, H, S, T)", "what is added to the scores"}},
	}
	define(&op, "Path integral of log gates between query and key.", func(c *graph.Call) ([]graph.Type, error) {
		for i := range 4 {
			if err := c.WantRank(i, 4); err != nil {
				return nil, err
			}
		}
		q, k := c.In[0].Shape(), c.In[1].Shape()
		if err := c.WantShape(1, graph.Shape{q[0], q[1], k[2], q[3]}); err != nil {
			return nil, err
		}
		if err := c.WantShape(2, graph.Shape{graph.Fixed(1), q[1], graph.Fixed(1), graph.Fixed(1)}); err != nil {
			return nil, err
		}
		if err := c.WantShape(3, graph.Shape{q[0], graph.Fixed(1), q[2], k[2]}); err != nil {
			return nil, err
		}
		if err := c.Want(3, graph.Bool); err != nil {
			return nil, err
		}
		return []graph.Type{{DType: graph.Float, Shape: graph.Shape{q[0], q[1], q[2], k[2]}}}, nil
	},
		step("columns", "Transpose", []string{"key"}, graph.IntsAttr("perm", 0, 1, 3, 2)),
		step("width", "Shape", []string{"query"}, graph.IntAttr("start", 3), graph.IntAttr("end", 4)),
		castTo("d", "width", graph.Float),
		step("minus_d", "Neg", []string{"d"}),
		step("scaled", "Div", []string{"query", "minus_d"}),
		step("negated", "MatMul", []string{"scaled", "columns"}),
		step("loss", "Softplus", []string{"negated"}), // −log σ(z)
		step("rate", "Neg", []string{"beta"}),
		step("gates", "Mul", []string{"loss", "rate"}),
		constFloat("zero", 0),
		step("terms", "Where", []string{"visible", "gates", "zero"}),
		constInt("axis", 3),
		step("bias", "CumSum", []string{"terms", "axis"}, graph.IntAttr("exclusive", 1), graph.IntAttr("reverse", 1)),
	)
	return op
}()
