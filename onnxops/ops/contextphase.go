package ops

import (
	"slices"

	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// contextPhase is ContextPhase: the places that contextual GRAPE-M turns to
// (arXiv 2512.07805).
var contextPhase = func() Op {
	op := Op{
		Name:  "ContextPhase",
		Since: 1,
		Summary: "Sums gates up to each token, without its own: phase_t = past + Σ_{τ<t} real_τ·σ(logits_τ), in float64. " +
			"A token's rotation turns plane p by phase_t·θ_p. past is the sum after the tokens before, as two float32 whose " +
			"sum it is (zeros at the start), and present the sum after these tokens likewise; padding adds nothing.",
		Inputs: []Param{
			{"logits", "float", "(B, N, S)", "the gates before their sigmoid: batch, phases, positions"},
			{"real", "float", "(B, 1, S)", "1 for a token, 0 for padding"},
			{"past", "float", "(B, N, 2)", "the sum so far: high and low part"},
		},
		Outputs: []Param{
			{"phase", "double", "(B, N, S)", "where each token turns to, in positions"},
			{"present", "float", "(B, N, 2)", "the sum after the last token: high and low part"},
		},
	}
	body := []*onnxpb.NodeProto{
		step("gates", "Sigmoid", []string{"logits"}),
		step("terms", "Mul", []string{"gates", "real"}),
	}
	define(&op, "Exclusive running sum of sigmoid gates, with its state.", runningTypes,
		slices.Concat(body, runningSum("terms", "past", "phase", "present", true))...)
	return op
}()

// runningTypes is the shape rule of a running sum: terms (B, N, S), real
// (B, 1, S) and past (B, N, 2) give sums (B, N, S) of float64 and present
// (B, N, 2).
func runningTypes(c *graph.Call) ([]graph.Type, error) {
	if err := c.Want(0, graph.Float); err != nil {
		return nil, err
	}
	if err := c.SameType(); err != nil {
		return nil, err
	}
	if err := c.WantRank(0, 3); err != nil {
		return nil, err
	}
	s := c.In[0].Shape()
	if err := c.WantShape(1, graph.Shape{s[0], graph.Fixed(1), s[2]}); err != nil {
		return nil, err
	}
	if err := c.WantShape(2, graph.Shape{s[0], s[1], graph.Fixed(2)}); err != nil {
		return nil, err
	}
	return []graph.Type{{DType: graph.Double, Shape: s}, {DType: graph.Float, Shape: c.In[2].Shape()}}, nil
}
