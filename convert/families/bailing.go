package families

import (
	"slices"

	"github.com/pecvt/pecvt/convert/family"
)

// bailingNames are the names that published checkpoints of Ling and Ring have.
var bailingNames = corrected.With(func(n *family.Names) {
	const at = "model.layers.{i}.attention."
	n.Embed = "model.word_embeddings"
	n.Q, n.K, n.V, n.O, n.OutGate = at+"q_proj", "", "", at+"dense", at+"g_proj"
	n.QDown, n.QLatentNorm, n.QUp = at+"q_a_proj", at+"q_a_layernorm", at+"q_b_proj"
	n.KVDown, n.KVLatentNorm, n.KVUp = at+"kv_a_proj_with_mqa", at+"kv_a_layernorm", at+"kv_b_proj"
	n.Correction = "model.layers.{i}.mlp.gate.expert_bias"
	n.DeltaNumbers = "model.layers.{i}.attention"
	n.DeltaQ, n.DeltaK, n.DeltaV = at+"q_proj", at+"k_proj", at+"v_proj"
	n.DeltaConv, n.DeltaConvK, n.DeltaConvV = at+"q_conv1d", at+"k_conv1d", at+"v_conv1d"
	n.DeltaA, n.DeltaB, n.DeltaZ = at+"f_proj", at+"b_proj", at+"g_proj"
	n.DeltaNorm, n.DeltaOut = at+"o_norm", at+"dense"
	n.Ignore = nil
})

// bailingHybrid: Kimi delta attention on all layers of a group but its last one, which
// has latent attention with a gate for each head, and DeepSeek's mixture.
var bailingHybrid = family.Spec{
	Name: "bailing_hybrid", ModelType: "bailing_hybrid", Architecture: "BailingHybridForCausalLM",
	Names: bailingNames, Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-6, Act: "silu", MaxPositions: 262144,
	Keys: func(k family.Keys) family.Keys {
		k.MaxPositions = []string{"model_max_length", "max_position_embeddings"}
		return k
	}(family.HFKeys),
	OBias: family.Rule{Key: "attention_bias"}, Interleaved: true,
	OutGate: &family.GateRule{If: family.Rule{Always: true}, Act: "sigmoid", PerHead: true},
	Latent: &family.LatentRule{Rank: 512, Still: 128, Turned: 64, Value: 128, Eps: 1e-6,
		Bias: family.Rule{Key: "attention_bias"}, OtherHeads: true},
	Rope: family.RopeDefaults{Theta: 6e6, ScoreFactor: true},
	Reads: []string{"layer_types", "layer_group_size", "kda_safe_gate", "kda_lower_bound", "short_conv_kernel_size", "head_dim",
		"linear_head_dim", "linear_num_heads", "linear_conv_kernel_dim", // compared
		"norm_topk_prob", "moe_renormalize", "num_expert_group", "n_group", "n_shared_experts", "num_shared_experts", "num_mtp_layers", "num_nextn_predict_layers",
		"mtp_loss_scaling_factor"}, // of training
	Variant: bailingVariant,
}

// bailingVariant reads the sizes of the delta nets, which are those of all heads, and
// the keys that have two names.
func bailingVariant(r *family.Reader, s family.Spec) family.Spec {
	heads, size, taps := r.SizeOr(32, "num_attention_heads"), r.SizeOr(128, "head_dim"), r.SizeOr(4, "short_conv_kernel_size")
	for key, want := range map[string]int{"linear_head_dim": size, "linear_num_heads": heads, "linear_conv_kernel_dim": taps} {
		if n := r.SizeOr(want, key); n != want {
			r.Fail(family.Unsupported("%s is %d: stock loaders make it %d of head_dim, num_attention_heads and short_conv_kernel_size whatever it says; remove the key", key, n, want))
		}
	}
	s.Delta = family.DeltaRule{Layers: linearLayers(bailingLayers, family.FullLayers), Heads: heads, KHeads: heads, KDim: size, VDim: size, Taps: taps,
		KeyDecay: true, SigmoidGate: true}
	if r.BoolOr(true, "kda_safe_gate") {
		if s.Delta.Bound = r.FloatOr(-5, "kda_lower_bound"); !(s.Delta.Bound < 0) {
			r.Fail(family.Unsupported("kda_lower_bound is %v: expected a negative number, so that states decay", s.Delta.Bound))
		}
	}
	one := func(def string, keys ...string) string {
		if key := r.Present(keys); key != "" {
			return key
		}
		return def
	}
	x := noaux("num_experts", "num_local_experts")
	x.TopK = []string{"num_experts_per_token", "num_experts_per_tok"}
	x.Normalise = family.Rule{Key: "moe_renormalize", Older: "norm_topk_prob", Default: true}
	x.Groups, x.Shared = one("num_expert_group", "num_expert_group", "n_group"), one("num_shared_experts", "num_shared_experts", "n_shared_experts")
	x.Types, x.FirstDefault = "mlp_layer_types", 2
	s.Experts = x
	demand(r, x.Groups, "topk_group", "routed_scaling_factor", x.Shared)
	numbers(r, x.Groups, "topk_group", "routed_scaling_factor")
	return s
}

// bailingLayers are the types of layers where layer_types says nothing.
func bailingLayers(r *family.Reader, layers int) []string {
	n := r.SizeOr(6, "layer_group_size")
	kinds := slices.Repeat([]string{"linear_attention"}, layers)
	for i := n - 1; r.Err == nil && i < layers; i += n {
		kinds[i] = family.FullLayers
	}
	return kinds
}
