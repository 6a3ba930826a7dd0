package ops

import (
	"fmt"

	"github.com/pecvt/pecvt/onnxops/graph"
)

// firstBias is where a bias's own inputs begin.
const firstBias = 7

// relativeAttention is RelativeAttention: ALiBi (arXiv 2108.12409) and GRAPE-A
// (arXiv 2512.07805).
var relativeAttention = biased("RelativeAttention", "b as RelativeBias has it.", "rate times distance as its bias",
	relativeBias.Inputs,
	func(c *graph.Call, out graph.Shape) error {
		for i, want := range []graph.Shape{{out[0], out[2]}, {out[0], out[3]}} {
			if err := c.WantShape(firstBias+i, want); err != nil {
				return err
			}
		}
		for i, want := range []graph.Shape{{out[0], out[1], out[2], graph.Fixed(1)}, {out[0], out[1], graph.Fixed(1), out[3]}} {
			if err := c.WantRank(firstBias+2+i, 4); err != nil {
				return err
			}
			for axis, d := range c.In[firstBias+2+i].Shape() {
				if d != want[axis] && d != graph.Fixed(1) {
					return fmt.Errorf("input %d has shape %s, which does not broadcast to %s", firstBias+2+i, c.In[firstBias+2+i].Shape(), want)
				}
			}
		}
		return nil
	},
	constInts("query_axes", 1, 3),
	constInts("key_axes", 1, 2),
	step("i", "Unsqueeze", []string{"query_position", "query_axes"}),
	step("j", "Unsqueeze", []string{"key_position", "key_axes"}),
	step("distance", "Sub", []string{"j", "i"}),
	step("rate", "Add", []string{"query_rate", "key_rate"}),
	step("bias", "Mul", []string{"distance", "rate"}),
)

// pathAttention is PathAttention: FoX (arXiv 2503.02130), and any bias that is a
// difference of what query and key have.
var pathAttention = biased("PathAttention",
	"b_ij = (query_whole_i − key_whole_j) + (query_fraction_i − key_fraction_j), sums as PathBias gives them.", "a difference of sums as its bias",
	[]Param{
		{"query_whole", "float", "(B, H, S, 1)", "integers of the queries' sums"},
		{"query_fraction", "float", "(B, H, S, 1)", "the rest of them"},
		{"key_whole", "float", "(B, H, T, 1)", "integers of all keys' sums, the cache's first"},
		{"key_fraction", "float", "(B, H, T, 1)", "the rest of them"},
	},
	func(c *graph.Call, out graph.Shape) error {
		for i, n := range []graph.Dim{out[2], out[2], out[3], out[3]} {
			if err := c.WantShape(firstBias+i, graph.Shape{out[0], out[1], n, graph.Fixed(1)}); err != nil {
				return err
			}
		}
		return nil
	},
	step("whole_row", "Transpose", []string{"key_whole"}, graph.IntsAttr("perm", 0, 1, 3, 2)),
	step("fraction_row", "Transpose", []string{"key_fraction"}, graph.IntsAttr("perm", 0, 1, 3, 2)),
	step("whole", "Sub", []string{"query_whole", "whole_row"}),
	step("fraction", "Sub", []string{"query_fraction", "fraction_row"}),
	step("bias", "Add", []string{"whole", "fraction"}),
)

// pathIntegralAttention is PathIntegralAttention: GRAPE-AP (arXiv 2512.07805,
// section 4).
var pathIntegralAttention = biased("PathIntegralAttention",
	"b as PathIntegralBias has it, over the keys whose attention_mask is not 0.", "a path integral as its bias",
	[]Param{
		{"path_query", "float", "(B, H, S, d)", "path vectors of the queries"},
		{"path_key", "float", "(B, H, T, d)", "path vectors of all keys, the cache's first"},
		{"beta", "float", "(1, H, 1, 1)", "β per head, in score units per position and log gate"},
	},
	func(c *graph.Call, out graph.Shape) error {
		if err := c.WantRank(firstBias, 4); err != nil {
			return err
		}
		d := c.In[firstBias].Shape()[3]
		for i, want := range []graph.Shape{{out[0], out[1], out[2], d}, {out[0], out[1], out[3], d}, {graph.Fixed(1), out[1], graph.Fixed(1), graph.Fixed(1)}} {
			if err := c.WantShape(firstBias+i, want); err != nil {
				return err
			}
		}
		return nil
	},
	step("columns", "Transpose", []string{"path_key"}, graph.IntsAttr("perm", 0, 1, 3, 2)),
	step("size_vector", "Shape", []string{"path_query"}, graph.IntAttr("start", 3), graph.IntAttr("end", 4)),
	castTo("d", "size_vector", graph.Float),
	step("minus_d", "Neg", []string{"d"}),
	step("scaled", "Div", []string{"path_query", "minus_d"}),
	step("negated", "MatMul", []string{"scaled", "columns"}),
	step("loss", "Softplus", []string{"negated"}), // −log σ(z)
	step("rate", "Neg", []string{"beta"}),
	step("gates", "Mul", []string{"loss", "rate"}),
	step("on_path", "And", []string{"causal", "real"}),
	step("terms", "Where", []string{"on_path", "gates", "seen"}),
	constInt("axis", 3),
	step("bias", "CumSum", []string{"terms", "axis"}, graph.IntAttr("exclusive", 1), graph.IntAttr("reverse", 1)),
)
