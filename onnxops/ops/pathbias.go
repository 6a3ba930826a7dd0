package ops

import (
	"slices"

	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// pathBias is PathBias: FoX's running sum of log forget gates (arXiv
// 2503.02130).
var pathBias = func() Op {
	op := Op{
		Name:  "PathBias",
		Since: 1,
		Summary: "Sums log gates along the tokens: F_t = past + Σ_{τ<=t} real_τ·gates_τ, in float64, and gives it as whole + fraction, " +
			"whole an integer and fraction in [0, 1]. The bias of query i and key j is F_i − F_j, which the parts give without " +
			"cancellation: (whole_i − whole_j) + (fraction_i − fraction_j), the first difference being exact. past is the sum after " +
			"the tokens before, as two float32 whose sum it is (zeros at the start), present the sum after these likewise; padding adds nothing.",
		Inputs: []Param{
			{"gates", "float", "(B, H, S)", "log gates: batch, heads, positions; their sum stays within ±2^24"},
			{"real", "float", "(B, 1, S)", "1 for a token, 0 for padding"},
			{"past", "float", "(B, H, 2)", "the sum so far: high and low part"},
		},
		Outputs: []Param{
			{"whole", "float", "(B, H, S, 1)", "the largest integer not above each token's sum"},
			{"fraction", "float", "(B, H, S, 1)", "the rest of it"},
			{"present", "float", "(B, H, 2)", "the sum after the last token: high and low part"},
		},
	}
	before := []*onnxpb.NodeProto{step("terms", "Mul", []string{"gates", "real"})}
	after := []*onnxpb.NodeProto{
		constInts("column", 3),
		step("floor", "Floor", []string{"sums"}),
		step("rest", "Sub", []string{"sums", "floor"}),
		castTo("floor_float", "floor", graph.Float),
		castTo("rest_float", "rest", graph.Float),
		step("whole", "Unsqueeze", []string{"floor_float", "column"}),
		step("fraction", "Unsqueeze", []string{"rest_float", "column"}),
	}
	define(&op, "Running sum of log gates, with its state.", func(c *graph.Call) ([]graph.Type, error) {
		t, err := runningTypes(c)
		if err != nil {
			return nil, err
		}
		column := graph.Type{DType: graph.Float, Shape: slices.Concat(t[0].Shape, graph.Of(1))}
		return []graph.Type{column, column, t[1]}, nil
	}, slices.Concat(before, runningSum("terms", "past", "sums", "present", false), after)...)
	return op
}()
