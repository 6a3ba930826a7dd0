package families

import "github.com/pecvt/pecvt/convert/family"

// mixtureNames are the names that most families give to mixtures in place of the
// MLP, one tensor for each projection of each expert.
var mixtureNames = family.HFNames.With(func(n *family.Names) {
	n.Router = "model.layers.{i}.mlp.gate"
	n.ExpertGate = "model.layers.{i}.mlp.experts.{e}.gate_proj"
	n.ExpertUp = "model.layers.{i}.mlp.experts.{e}.up_proj"
	n.ExpertDown = "model.layers.{i}.mlp.experts.{e}.down_proj"
})

// mixtralNames are Mixtral's.
var mixtralNames = family.HFNames.With(func(n *family.Names) {
	n.Router = "model.layers.{i}.block_sparse_moe.gate"
	n.ExpertGate = "model.layers.{i}.block_sparse_moe.experts.{e}.w1"
	n.ExpertUp = "model.layers.{i}.block_sparse_moe.experts.{e}.w3"
	n.ExpertDown = "model.layers.{i}.block_sparse_moe.experts.{e}.w2"
})

// normedHeads adds the names of the norms of queries and keys.
func normedHeads(n family.Names) family.Names {
	return n.With(func(n *family.Names) {
		n.QNorm, n.KNorm = "model.layers.{i}.self_attn.q_norm", "model.layers.{i}.self_attn.k_norm"
	})
}

// sharedExpert adds the names of an expert that every token reads.
func sharedExpert(n family.Names, prefix string) family.Names {
	return n.With(func(n *family.Names) {
		n.SharedGateProj, n.SharedUp, n.SharedDown = prefix+".gate_proj", prefix+".up_proj", prefix+".down_proj"
	})
}

// The spellings of a mixture's sizes; of several, the first one present counts.
var (
	expertCount = []string{"num_local_experts", "num_experts", "n_routed_experts"}
	expertsTopK = []string{"num_experts_per_tok"}
	expertInner = []string{"moe_intermediate_size"}
	wholeInner  = []string{"intermediate_size"}
)

// mixtral: mistral with a mixture of experts in every layer, whose softmax is over
// those chosen.
var mixtral = family.Spec{
	Name: "mixtral", ModelType: "mixtral", Architecture: "MixtralForCausalLM",
	Names: mixtralNames, Norm: family.RMS, EpsKey: "rms_norm_eps",
	Experts: &family.ExpertsRule{Count: expertCount, TopK: expertsTopK, Inner: wholeInner, Score: "softmax", Normalise: family.Rule{Always: true}},
	Reads:   []string{"router_jitter_noise"}, // training alone
	Window:  family.WindowRule{Key: "sliding_window"},
	Rope:    family.RopeDefaults{Theta: 1e6},
}

// qwen3MoE: qwen3 with mixtures of experts.
var qwen3MoE = family.Spec{
	Name: "qwen3_moe", ModelType: "qwen3_moe", Architecture: "Qwen3MoeForCausalLM",
	Names: normedHeads(mixtureNames), Norm: family.RMS, EpsKey: "rms_norm_eps",
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"},
	QKNorm: family.Rule{Always: true},
	Experts: &family.ExpertsRule{Count: expertCount, TopK: expertsTopK, Inner: expertInner, Score: "softmax",
		Normalise: family.Rule{Key: "norm_topk_prob"}, Step: "decoder_sparse_step", Only: "mlp_only_layers"},
	Window: family.WindowRule{Key: "sliding_window", Switch: "use_sliding_window", Default: 4096, From: -1},
	Rope:   family.RopeDefaults{Theta: 10000},
}

// qwen2MoE: qwen2 with mixtures of experts, and a shared expert with a gate.
var qwen2MoE = family.Spec{
	Name: "qwen2_moe", ModelType: "qwen2_moe", Architecture: "Qwen2MoeForCausalLM",
	Names: sharedExpert(mixtureNames, "model.layers.{i}.mlp.shared_expert").With(func(n *family.Names) {
		n.SharedGate = "model.layers.{i}.mlp.shared_expert_gate"
	}),
	Norm: family.RMS, EpsKey: "rms_norm_eps",
	QKVBias: family.Rule{Key: "qkv_bias", Default: true},
	Experts: &family.ExpertsRule{Count: []string{"num_experts", "num_local_experts"}, TopK: expertsTopK, Inner: expertInner, Score: "softmax",
		Normalise: family.Rule{Key: "norm_topk_prob"}, SharedInner: "shared_expert_intermediate_size", Step: "decoder_sparse_step", Only: "mlp_only_layers"},
	Window: family.WindowRule{Key: "sliding_window", Switch: "use_sliding_window", Default: 4096, From: 28},
	Rope:   family.RopeDefaults{Theta: 10000},
}

// olmoE: RMS norms of queries and keys over all heads, and a mixture of experts in
// every layer.
var olmoE = family.Spec{
	Name: "olmoe", ModelType: "olmoe", Architecture: "OlmoeForCausalLM",
	Names: normedHeads(mixtureNames), Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-5,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"},
	QKNorm: family.Rule{Always: true}, NormOverHeads: true,
	Experts: &family.ExpertsRule{Count: []string{"num_experts", "num_local_experts"}, TopK: expertsTopK, Inner: wholeInner, Score: "softmax",
		Normalise: family.Rule{Key: "norm_topk_prob"}},
	Rope: family.RopeDefaults{Theta: 10000},
}

// flexOLMo: olmo2 with a mixture of experts in every layer.
var flexOLMo = family.Spec{
	Name: "flex_olmo", ModelType: "flex_olmo", Architecture: "FlexOlmoForCausalLM",
	Names: normedHeads(mixtureNames).With(func(n *family.Names) {
		n.AttnNorm, n.MLPNorm = "", ""
		n.AttnOutNorm = "model.layers.{i}.post_attention_layernorm"
		n.MLPOutNorm = "model.layers.{i}.post_feedforward_layernorm"
	}),
	Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-6,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"},
	QKNorm: family.Rule{Always: true}, NormOverHeads: true,
	Experts: &family.ExpertsRule{Count: []string{"num_experts", "num_local_experts"}, TopK: expertsTopK, Inner: wholeInner, Score: "softmax",
		Normalise: family.Rule{Key: "norm_topk_prob"}},
	Rope: family.RopeDefaults{Theta: 500000},
}

// miniMaxM2: sigmoid scores with a correction for the choice alone, norms of queries
// and keys over all heads, and half of each head turned.
var miniMaxM2 = family.Spec{
	Name: "minimax_m2", ModelType: "minimax_m2", Architecture: "MiniMaxM2ForCausalLM",
	Names: normedHeads(mixtralNames).With(func(n *family.Names) {
		n.Correction = "model.layers.{i}.block_sparse_moe.e_score_correction_bias"
	}),
	Norm: family.RMS, EpsKey: "rms_norm_eps",
	QKNorm: family.Rule{Always: true}, NormOverHeads: true,
	Experts: &family.ExpertsRule{Count: expertCount, TopK: expertsTopK, Inner: wholeInner, Score: "sigmoid", Normalise: family.Rule{Always: true}},
	Reads:   []string{"router_jitter_noise", "rotary_dim"}, // the first one of training alone
	Rope:    family.RopeDefaults{Theta: 5e6, Partial: 1}, ReadsPartial: true,
	Variant: func(r *family.Reader, s family.Spec) family.Spec {
		if r.Present([]string{"rotary_dim"}) != "" && r.Present([]string{"head_dim"}) != "" { // where the share is not declared
			s.Rope.Partial = float64(r.Size("rotary_dim")) / float64(r.Size("head_dim"))
		}
		return s
	},
}
