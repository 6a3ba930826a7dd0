package families

import "github.com/pecvt/pecvt/convert/family"

// noaux is the mixture of DeepSeek V3 (arXiv 2412.19437): sigmoid scores, a
// correction for the choice alone, groups, a factor, and a shared expert.
func noaux(count ...string) *family.ExpertsRule {
	return &family.ExpertsRule{Count: count, TopK: expertsTopK, Inner: expertInner, Score: "sigmoid",
		Normalise: family.Rule{Key: "norm_topk_prob", Default: true}, Eps: 1e-20, Scale: "routed_scaling_factor",
		Groups: "n_group", KeptGroups: "topk_group", Shared: "n_shared_experts", First: "first_k_dense_replace"}
}

// corrected are the names of such mixtures.
var corrected = sharedExpert(mixtureNames, "model.layers.{i}.mlp.shared_experts").With(func(n *family.Names) {
	n.Correction = "model.layers.{i}.mlp.gate.e_score_correction_bias"
})

// glm4MoE: norms of queries and keys may be there, half of each head is turned.
var glm4MoE = family.Spec{
	Name: "glm4_moe", ModelType: "glm4_moe", Architecture: "Glm4MoeForCausalLM",
	Names: normedHeads(corrected), Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-5,
	QKVBias: family.Rule{Key: "attention_bias"},
	QKNorm:  family.Rule{Key: "use_qk_norm"},
	Experts: noaux("n_routed_experts", "num_local_experts"),
	Rope:    family.RopeDefaults{Theta: 10000, Partial: 0.5}, ReadsPartial: true,
}

// dots1: norms of queries and keys, dense layers first.
var dots1 = family.Spec{
	Name: "dots1", ModelType: "dots1", Architecture: "Dots1ForCausalLM",
	Names: normedHeads(corrected), Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-6,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"},
	QKNorm:  family.Rule{Always: true},
	Experts: noaux("n_routed_experts", "num_local_experts"),
	Reads:   []string{"max_window_layers"}, // made into layer_types when the configuration was
	Window:  family.WindowRule{Key: "sliding_window", Default: 0, ByType: true},
	Rope:    family.RopeDefaults{Theta: 10000},
}

// solarOpen: a mixture in every layer, whatever first_k_dense_replace says.
var solarOpen = family.Spec{
	Name: "solar_open", ModelType: "solar_open", Architecture: "SolarOpenForCausalLM",
	Names: corrected, Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-5,
	QKVBias: family.Rule{Key: "attention_bias"}, HeadDim: 128,
	Inner: func(hidden int) int { return hidden }, // no layer has an MLP
	Experts: func() *family.ExpertsRule {
		x := noaux("n_routed_experts", "num_local_experts")
		x.First = ""
		return x
	}(),
	Reads: []string{"first_k_dense_replace"},
	Adjust: func(r *family.Reader, _ *family.Model) {
		if n := r.SizeOrZero("first_k_dense_replace", 0); n > 0 {
			r.Warn("first_k_dense_replace is %d, and loaders of this family have a mixture in every layer all the same, as does pecvt", n)
		}
	},
	Rope: family.RopeDefaults{Theta: 1e6},
}

// hyV3: norms of queries and keys, layers by mlp_layer_types.
var hyV3 = family.Spec{
	Name: "hy_v3", ModelType: "hy_v3", Architecture: "HYV3ForCausalLM",
	Names: sharedExpert(normedHeads(mixtureNames), "model.layers.{i}.mlp.shared_mlp").With(func(n *family.Names) {
		n.Router, n.Correction = "model.layers.{i}.mlp.router.gate", "model.layers.{i}.mlp.expert_bias"
	}),
	Norm: family.RMS, EpsKey: "rms_norm_eps",
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"}, MLPBias: family.Rule{Key: "mlp_bias"},
	QKNorm: family.Rule{Always: true},
	Experts: &family.ExpertsRule{Count: []string{"num_experts", "num_local_experts"}, TopK: expertsTopK, Inner: expertInner, Score: "sigmoid",
		Normalise: family.Rule{Always: true}, Eps: 1e-20, Scale: "router_scaling_factor", Shared: "num_shared_experts", Types: "mlp_layer_types"},
	Reads: []string{"enable_moe_fp32_combine"}, // how the same sum is rounded
	Rope:  family.RopeDefaults{Theta: 11158840},
}
