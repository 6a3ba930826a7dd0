package families

import "github.com/pecvt/pecvt/convert/family"

// laraMini: gated delta nets whose projections are one matrix, layers of sliding
// attention that turn and of full attention that do not, and a mixture of experts
// with a shared one in every layer.
var laraMini = family.Spec{
	Name: "lara_mini", ModelType: "lara_mini", Architecture: "LaraMiniForCausalLM",
	About: "layers without a window do not turn",
	Names: deltaNames(sharedExpert(mixtureNames, "model.layers.{i}.mlp.shared_expert"), "out_norm").With(func(n *family.Names) {
		n.ExpertGateUp, n.ExpertDown = "model.layers.{i}.mlp.experts.gate_up_proj", "model.layers.{i}.mlp.experts.down_proj"
		n.DeltaAll = "model.layers.{i}.linear_attn.in_proj"
	}),
	Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-6, Act: "silu", MaxPositions: 131072, HeadDim: 128, Tied: true,
	Inner:   func(int) int { return 1 }, // no layer has an MLP
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"},
	QKNorm: family.Rule{Always: true},
	Delta: family.DeltaRule{Heads: 16, KHeads: 8, KDim: 128, VDim: 128, Taps: 4,
		Layers: linearLayers(laraLayers, family.FullLayers, family.SlidingLayers)},
	Experts: &family.ExpertsRule{Count: []string{"num_experts", "num_local_experts"}, TopK: expertsTopK, Inner: expertInner, Score: "softmax",
		Normalise: family.Rule{Key: "norm_topk_prob", Default: true}, SharedInner: "shared_expert_intermediate_size", Bare: true},
	Window: family.WindowRule{Key: "sliding_window", Default: 512, ByType: true, Other: "linear_attention", Full: func(layer int) bool {
		return layer%5 == 3
	}},
	Rope:   family.RopeDefaults{Theta: 10000},
	Adjust: func(r *family.Reader, m *family.Model) { stillWithoutWindow(r, m) },
}

// laraLayers are the types of layers where layer_types says nothing.
func laraLayers(_ *family.Reader, layers int) []string {
	pattern := []string{"linear_attention", family.SlidingLayers, "linear_attention", family.FullLayers, family.SlidingLayers}
	kinds := make([]string, layers)
	for i := range kinds {
		kinds[i] = pattern[i%len(pattern)]
	}
	return kinds
}
