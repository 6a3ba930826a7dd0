package families

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
)

// lfm2MoE: lfm2 with mixtures of sigmoid scores behind the first dense layers.
var lfm2MoE = func(s family.Spec) family.Spec {
	s.Name, s.ModelType, s.Architecture = "lfm2_moe", "lfm2_moe", "Lfm2MoeForCausalLM"
	s.Names = s.Names.With(func(n *family.Names) {
		n.Router, n.Correction = "model.layers.{i}.feed_forward.gate", "model.layers.{i}.feed_forward.expert_bias"
		n.ExpertGate = "model.layers.{i}.feed_forward.experts.{e}.w1"
		n.ExpertUp = "model.layers.{i}.feed_forward.experts.{e}.w3"
		n.ExpertDown = "model.layers.{i}.feed_forward.experts.{e}.w2"
	})
	s.Keys, s.InnerOf = family.HFKeys, nil
	s.Experts = &family.ExpertsRule{Count: []string{"num_experts", "num_local_experts"}, TopK: expertsTopK, Inner: expertInner, Score: "sigmoid",
		Normalise: family.Rule{Key: "norm_topk_prob", Default: true}, Eps: 1e-6, Scale: "routed_scaling_factor", First: "num_dense_layers"}
	s.Reads = []string{"layer_types", "use_expert_bias", "tie_embedding",
		"theta", "block_dim", "conv_dim", "conv_dim_out", "num_heads", "block_norm_eps", "block_use_swiglu", "use_pos_enc"} // compared
	s.Adjust = func(r *family.Reader, m *family.Model) {
		lfm2Older(r, m)
		if theta := r.FloatOr(m.Rope.Theta, "theta"); theta != m.Rope.Theta {
			r.Fail(family.Unsupported("theta is %v, and rope_parameters or rope_theta say %v, by which stock loaders turn; set both alike", theta, m.Rope.Theta))
		}
	}
	s.Variant = func(r *family.Reader, s family.Spec) family.Spec {
		demand(r, "layer_types", "num_dense_layers")
		if !r.BoolOr(true, "use_expert_bias") {
			s.Names.Correction = ""
		}
		return lfm2Tied(r, s)
	}
	return s
}(lfm2)

// ernie45MoE: ernie4_5 with mixtures whose choice is corrected, between two layers.
var ernie45MoE = func(s family.Spec) family.Spec {
	s.Name, s.ModelType, s.Architecture = "ernie4_5_moe", "ernie4_5_moe", "Ernie4_5_MoeForCausalLM"
	s.Names = sharedExpert(mixtureNames, "model.layers.{i}.mlp.shared_experts").With(func(n *family.Names) {
		n.Correction = "model.layers.{i}.mlp.moe_statics.e_score_correction_bias"
	})
	s.HeadDim = 0
	s.Experts = &family.ExpertsRule{Count: []string{"moe_num_experts", "num_experts"}, TopK: []string{"moe_k", "num_experts_per_tok"}, Inner: expertInner,
		Score: "softmax", Normalise: family.Rule{Always: true}, Shared: "moe_num_shared_experts", Dense: ernieDense}
	s.Reads = []string{"moe_layer_start_index", "moe_layer_end_index", "moe_layer_interval", "moe_norm_min",
		"moe_gate", "moe_use_aux_free", "use_rmsnorm", "compression_ratio",
		"moe_capacity", "fuse_rms_norm", "moe_group", "moe_dropout_prob", "moe_aux_loss_lambda", "moe_z_loss_lambda", "moe_orthogonal_loss_lambda"} // of training, and how the same is computed
	s.Variant = func(r *family.Reader, s family.Spec) family.Spec {
		demand(r, "moe_num_shared_experts", "moe_layer_start_index")
		must(r, "moe_use_aux_free", "use_rmsnorm")
		if ratio := r.FloatOr(1, "compression_ratio"); ratio != 1 {
			r.Fail(family.Unsupported("compression_ratio is %v: positions times a number, which stock loaders pass over", ratio))
		}
		if gate := r.TextOr("topk", "moe_gate"); gate != "topk" {
			r.Fail(family.Unsupported("moe_gate is %q: loaders of this family compute topk whatever it says", gate))
		}
		refuse(r, "use_bias", "biases of experts")
		return s
	}
	s.Adjust = func(r *family.Reader, m *family.Model) {
		floor := r.FloatOr(1e-12, "moe_norm_min")
		if floor < 0 {
			r.Fail(fmt.Errorf("key %q is %v: expected a number from 0 on", "moe_norm_min", floor))
		}
		for i := range m.Blocks {
			if x := m.Blocks[i].Mixture(); x != nil {
				x.Router.Floor = floor
				x.Router.Correction.Stored = append([]int64{1}, x.Router.Correction.Shape...)
			}
		}
	}
	return s
}(ernie45)

// ernieDense says which layers have no mixture: those outside of moe_layer_start_index
// to moe_layer_end_index (-1 is the last one), and between every moe_layer_interval-th.
func ernieDense(r *family.Reader, layers int) []bool {
	first, last, step := r.SizeOrZero("moe_layer_start_index", 1), layers-1, r.SizeOr(1, "moe_layer_interval")
	if n, ok, err := r.C.Int("moe_layer_end_index"); err != nil || ok && n != -1 {
		r.Fail(err)
		last = n
	}
	out := make([]bool, layers)
	for i := range out {
		out[i] = i < first || i > last || (i+1)%max(step, 1) != 0
	}
	return out
}

// hunyuanMoE: hunyuan with mixtures in every layer, beside an expert of the same size
// that every token reads.
var hunyuanMoE = func(s family.Spec) family.Spec {
	s.Name, s.ModelType, s.Architecture = "hunyuan_v1_moe", "hunyuan_v1_moe", "HunYuanMoEV1ForCausalLM"
	s.Names = sharedExpert(mixtureNames, "model.layers.{i}.mlp.shared_mlp").With(func(n *family.Names) {
		n.Router = "model.layers.{i}.mlp.gate.wg"
		n.QNorm, n.KNorm = hunyuan.Names.QNorm, hunyuan.Names.KNorm
	})
	s.Experts = &family.ExpertsRule{Count: []string{"num_experts", "num_local_experts"}, TopK: []string{"moe_topk", "num_experts_per_tok"}, Inner: wholeInner,
		Score: "softmax", Normalise: family.Rule{Always: true}, SharedInner: "intermediate_size", ByLayer: true}
	s.Reads = append([]string{"sep_token_id", "use_mixed_mlp_moe", "norm_topk_prob", "routed_scaling_factor", "moe_layer_num_skipped",
		"moe_intermediate_size", "num_shared_expert", "attention_head_dim", // shown by the tensors' shapes
		"moe_drop_tokens", "capacity_factor"}, s.Reads...)
	dense := s.Variant
	s.Variant = func(r *family.Reader, s family.Spec) family.Spec {
		must(r, "use_mixed_mlp_moe", "norm_topk_prob")
		refuse(r, "moe_drop_tokens", "experts that pass over tokens beyond capacity_factor, which stock loaders do not")
		if string(r.C.Raw("routed_scaling_factor")) != "false" { // which published ones say for none
			if factor := r.FloatOr(1, "routed_scaling_factor"); factor != 1 {
				r.Fail(family.Unsupported("routed_scaling_factor is %v: stock loaders pass over it", factor))
			}
		}
		if n := r.SizeOrZero("moe_layer_num_skipped", 0); n != 0 {
			r.Fail(family.Unsupported("moe_layer_num_skipped is %d: stock loaders have a mixture in every layer", n))
		}
		return dense(r, s)
	}
	return s
}(hunyuan)

// mellum: qwen3_moe with dense layers by mlp_layer_types, a window and a base by
// layer_types.
var mellum = func(s family.Spec) family.Spec {
	s.Name, s.ModelType, s.Architecture = "mellum", "mellum", "MellumForCausalLM"
	s.About = "a rotation for each type of layer"
	s.Eps, s.Act, s.MaxPositions, s.HeadDim = 1e-6, "silu", 131072, 128
	s.Experts = &family.ExpertsRule{Count: expertCount, TopK: expertsTopK, Inner: expertInner, Score: "softmax",
		Normalise: family.Rule{Key: "norm_topk_prob", Default: true}, Types: "mlp_layer_types"}
	s.Window = family.WindowRule{Key: "sliding_window", Default: 1024, ByType: true, Full: func(int) bool { return true }}
	s.Rope = family.RopeDefaults{Theta: 500000, Sliding: &family.RopeDefaults{Theta: 10000}}
	s.Reads = []string{"mtp_layer_types", "mtp_mlp_layer_types", "num_mtp_layers"} // of layers past the last one
	return s
}(qwen3MoE)

// kolibri1: norms before and after the branches, experts chosen by logits and weighed
// by their sigmoids, a window on four of five layers; the others do not turn.
var kolibri1 = family.Spec{
	Name: "kolibri1", ModelType: "kolibri1", Architecture: "Kolibri1ForCausalLM",
	About: "layers without a window do not turn",
	Names: normedHeads(sharedExpert(mixtureNames, "model.layers.{i}.mlp.shared_experts")).With(func(n *family.Names) {
		n.AttnOutNorm, n.MLPOutNorm = "model.layers.{i}.post_attn_norm", "model.layers.{i}.post_ffn_norm"
		n.Correction = "model.layers.{i}.moe.router.expert_bias"
	}),
	Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-6, Act: "silu", MaxPositions: 262144, HeadDim: 128,
	Inner:  func(hidden int) int { return hidden }, // no layer has an MLP
	QKNorm: family.Rule{Always: true},
	Experts: &family.ExpertsRule{Count: expertCount, TopK: expertsTopK, Inner: expertInner, Score: "sigmoid",
		Normalise: family.Rule{Key: "norm_topk_prob"}, SharedInner: "shared_expert_intermediate_size"},
	Window: family.WindowRule{Key: "sliding_window", Default: 513, ByType: true, Full: every(5)},
	Rope:   family.RopeDefaults{Theta: 10000},
	Adjust: func(r *family.Reader, m *family.Model) {
		for i := range m.Blocks {
			m.Blocks[i].Mixture().Router.ByLogits = true
		}
		exaone4.Adjust(r, m)
	},
}

// cohere2MoE: cohere2 with mixtures behind dense layers of another size; the sum of
// chosen and shared experts may be halved, and dense layers may turn without a window.
var cohere2MoE = func(s family.Spec) family.Spec {
	s.Name, s.ModelType, s.Architecture = "cohere2_moe", "cohere2_moe", "Cohere2MoeForCausalLM"
	s.Names = sharedExpert(mixtureNames, "model.layers.{i}.mlp.shared_experts").With(func(n *family.Names) { n.MLPNorm = "" })
	s.HeadDim = 128
	s.Keys = func(k family.Keys) family.Keys {
		k.Inner = []string{"prefix_dense_intermediate_size", "intermediate_size"}
		return k
	}(family.HFKeys)
	s.Experts = &family.ExpertsRule{Count: []string{"num_experts", "num_local_experts"}, TopK: expertsTopK, Inner: wholeInner, Score: "softmax",
		Normalise: family.Rule{Always: true}, Shared: "num_shared_experts", Types: "mlp_layer_types", First: "first_k_dense_replace"}
	s.Reads = []string{"logit_scale", "sliding_window_pattern", "rms_norm_eps", "expert_selection_fn", "norm_topk_prob",
		"prefix_dense_sliding_window_pattern", "shared_expert_combination_strategy",
		"position_embedding_type"}
	s.Variant = cohere2MoEVariant
	s.Adjust = func(r *family.Reader, m *family.Model) {
		m.LogitScale = oneAsNone(factor(r, "logit_scale", 0.0625))
		if m.Rope.Type != "default" && !r.C.Has("rope_parameters") {
			r.Fail(family.Unsupported("rope_scaling is of type %s, and transformers 5.24 passes over that key in this family; write rope_parameters", m.Rope.Type))
		}
		strategy := r.TextOr("average", "shared_expert_combination_strategy")
		if strategy != "average" && strategy != "sum" {
			r.Fail(family.Unsupported("shared_expert_combination_strategy %q: expected average or sum", strategy))
		}
		forced := r.SizeOr(1, "prefix_dense_sliding_window_pattern") == 1
		for i := range m.Blocks {
			x, a := m.Blocks[i].Mixture(), m.Blocks[i].Attn()
			if x != nil && x.Shared != nil && strategy == "average" {
				x.Scale = 0.5
			}
			if a.Window == 0 && (x != nil || !forced) {
				a.Rotary = family.Still(a.QKDim)
			}
		}
	}
	return s
}(cohere2)

// cohere2MoEVariant chooses the norm, the scores and, where layer_types is absent, the
// layers with a window: the dense ones first, then the others from their own first on.
func cohere2MoEVariant(r *family.Reader, s family.Spec) family.Spec {
	cohereTurns(r)
	if r.C.Has("rms_norm_eps") {
		s.Norm, s.EpsKey = family.RMS, "rms_norm_eps"
	}
	x := *s.Experts
	switch score := r.TextOr("softmax", "expert_selection_fn"); score {
	case "softmax":
	case "sigmoid":
		x.Score, x.Normalise = score, family.Rule{Key: "norm_topk_prob", Default: true}
	default:
		r.Fail(family.Unsupported("expert_selection_fn %q: expected softmax or sigmoid", score))
	}
	s.Experts = &x
	first, _, err := r.C.Int("first_k_dense_replace")
	r.Fail(err)
	before, after := every(r.SizeOr(1, "prefix_dense_sliding_window_pattern")), every(r.SizeOr(4, "sliding_window_pattern"))
	s.Window.Full = func(layer int) bool {
		if layer < first {
			return before(layer)
		}
		return after(layer - first)
	}
	return s
}
