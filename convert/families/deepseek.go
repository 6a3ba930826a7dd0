package families

import (
	"fmt"
	"slices"

	"github.com/pecvt/pecvt/convert/family"
)

// latentMixtureNames are the names of latent attention beside DeepSeek's mixture.
var latentMixtureNames = corrected.With(namesOfLatents)

// deepseekV3: latent attention with a mixture of sigmoid scores, groups and a shared
// expert behind the first dense layers; norms of latents have an ε of their own. Its
// class has numbers for keys that published configurations always say: they must be
// there.
var deepseekV3 = family.Spec{
	Name: "deepseek_v3", ModelType: "deepseek_v3", Architecture: "DeepseekV3ForCausalLM",
	Names: latentMixtureNames, Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-6, Act: "silu", MaxPositions: 4096,
	OBias: family.Rule{Key: "attention_bias"},
	Latent: &family.LatentRule{QRank: 1536, Rank: 512, Still: 128, Turned: 64, Value: 128, Eps: 1e-6,
		Bias: family.Rule{Key: "attention_bias"}},
	Experts: func() *family.ExpertsRule {
		x := noaux("n_routed_experts", "num_local_experts")
		x.FirstDefault = 3
		return x
	}(),
	Rope:  family.RopeDefaults{Theta: 10000, ScoreFactor: true},
	Reads: []string{"rope_interleave", "topk_method", "scoring_func", "moe_layer_freq"},
	Variant: func(r *family.Reader, s family.Spec) family.Spec {
		demand(r, "n_group", "topk_group", "routed_scaling_factor", "n_shared_experts")
		noauxAlone(r)
		return interleavedByKey(r, s)
	},
}

// kimiK2: deepseek_v3 under a name of its own, which code beside the checkpoint
// loads by the same class.
var kimiK2 = func(s family.Spec) family.Spec {
	s.Name, s.ModelType = "kimi_k2", "kimi_k2"
	return s
}(deepseekV3)

// deepseekV2: deepseek_v3's attention, whose planes are of neighbouring coordinates
// in every checkpoint, and a mixture of softmax scores, from all experts or from the
// groups whose best is best.
var deepseekV2 = func(s family.Spec) family.Spec {
	s.Name, s.ModelType, s.Architecture = "deepseek_v2", "deepseek_v2", "DeepseekV2ForCausalLM"
	s.Names = sharedExpert(mixtureNames, "model.layers.{i}.mlp.shared_experts").With(namesOfLatents)
	s.MaxPositions, s.Interleaved = 2048, true
	s.Experts = &family.ExpertsRule{Count: []string{"n_routed_experts", "num_experts"}, TopK: expertsTopK, Inner: expertInner, Score: "softmax",
		Scale: "routed_scaling_factor", Groups: "n_group", KeptGroups: "topk_group", GroupBest: 1, Shared: "n_shared_experts", First: "first_k_dense_replace"}
	s.Reads = []string{"topk_method", "scoring_func", "moe_layer_freq", "norm_topk_prob", "n_group", "topk_group"}
	s.Variant = func(r *family.Reader, s family.Spec) family.Spec {
		demand(r, "n_shared_experts")
		onlyValue(r, "scoring_func", "softmax")
		everyLayer(r)
		refuse(r, "norm_topk_prob", "loaders of this family disagree on it (transformers 5 passes over it, DeepSeek's own code divides the weights by their sum)")
		switch method := r.TextOr("greedy", "topk_method"); method {
		case "greedy":
			x := *s.Experts
			x.Groups, x.KeptGroups = "", ""
			s.Experts = &x
		case "group_limited_greedy":
			demand(r, "n_group", "topk_group")
		default:
			r.Fail(family.Unsupported("topk_method is %q: expected greedy or group_limited_greedy", method))
		}
		return s
	}
	return s
}(deepseekV3)

// glm4MoELite: deepseek_v3 with a list of the layers that have a mixture, all but the
// first one where it is absent.
var glm4MoELite = func(s family.Spec) family.Spec {
	s.Name, s.ModelType, s.Architecture = "glm4_moe_lite", "glm4_moe_lite", "Glm4MoeLiteForCausalLM"
	s.Eps, s.MaxPositions, s.Tied = 1e-5, 202752, false
	s.Latent = &family.LatentRule{QRank: 768, Rank: 512, Still: 192, Turned: 64, Value: 256, Eps: 1e-6, Bias: s.Latent.Bias}
	x := noaux("n_routed_experts", "num_local_experts")
	x.Types, x.FirstDefault = "mlp_layer_types", 1
	s.Experts = x
	s.Variant = func(r *family.Reader, s family.Spec) family.Spec {
		demand(r, "routed_scaling_factor", "n_shared_experts")
		noauxAlone(r)
		if first := r.SizeOrZero("first_k_dense_replace", 1); !r.C.Has("mlp_layer_types") && r.Err == nil && first != 1 {
			r.Fail(family.Unsupported("first_k_dense_replace is %d without mlp_layer_types: loaders of this family have one dense layer whatever it says; write mlp_layer_types", first))
		}
		return interleavedByKey(r, s)
	}
	return s
}(deepseekV3)

// sarvamMLA: deepseek_v3 under a name and keys of its own, which stock loaders read
// by the same class; published configurations write the rank beside the turned size
// in head_dim, and yarn as deepseek_yarn.
var sarvamMLA = func(s family.Spec) family.Spec {
	s.Name, s.ModelType = "sarvam_mla", "sarvam_mla"
	s.Experts = func() *family.ExpertsRule {
		x := noaux("n_routed_experts", "num_experts", "num_local_experts")
		x.FirstDefault = 1
		return x
	}()
	latent := *s.Latent
	latent.QRank, latent.Joined = 0, true
	s.Latent = &latent
	s.Rope.DeepSeekYarn = true
	s.Reads = append(slices.Clone(s.Reads), "q_head_dim", "num_shared_experts")
	s.Variant = func(r *family.Reader, s family.Spec) family.Spec {
		if !r.C.Has("n_shared_experts") && r.C.Has("num_shared_experts") {
			x := *s.Experts
			x.Shared = "num_shared_experts"
			s.Experts = &x
		} else {
			demand(r, "n_shared_experts")
		}
		demand(r, "routed_scaling_factor")
		noauxAlone(r)
		return interleavedByKey(r, s)
	}
	return s
}(deepseekV3)

// axK1: deepseek_v3 with a norm of each mixture's output, and no correction in some
// checkpoints, which store that norm for dense layers too, where nothing reads it.
var axK1 = func(s family.Spec) family.Spec {
	s.Name, s.ModelType, s.Architecture = "axk1", "axk1", "AXK1ForCausalLM"
	s.Names = s.Names.With(func(n *family.Names) { n.MLPOutNorm = "model.layers.{i}.post_mlp_layernorm" })
	s.MaxPositions = 32768
	x := noaux("n_routed_experts", "num_local_experts")
	x.Types, x.FirstDefault, x.MayMiss = "mlp_layer_types", 1, true
	s.Experts = x
	s.Adjust = func(_ *family.Reader, m *family.Model) {
		for i := range m.Blocks {
			if b := &m.Blocks[i]; b.Mixture() == nil {
				m.Ignored = append(m.Ignored, b.MLPOutNorm.Weight.Tensor)
				b.MLPOutNorm = nil
			}
		}
	}
	return s
}(deepseekV3)

// indexedNames are the names of latent attention whose keys an indexer chooses.
var indexedNames = latentMixtureNames.With(func(n *family.Names) {
	const at = "model.layers.{i}.self_attn.indexer."
	n.IndexQ, n.IndexK, n.IndexKNorm, n.IndexWeigh = at+"wq_b", at+"wk", at+"k_norm", at+"weights_proj"
})

// deepseekV32: deepseek_v3 with planes of neighbouring coordinates in every
// checkpoint, and an indexer in every layer.
var deepseekV32 = func(s family.Spec) family.Spec {
	s.Name, s.ModelType, s.Architecture = "deepseek_v32", "deepseek_v32", "DeepseekV32ForCausalLM"
	s.Names, s.MaxPositions, s.Interleaved = indexedNames, 163840, true
	x := noaux("num_experts", "n_routed_experts", "num_local_experts")
	x.Types, x.FirstDefault = "mlp_layer_types", 3
	s.Experts = x
	s.Indexer = &family.IndexerRule{TopK: 2048, Size: 128, Heads: 64}
	s.Reads = append(slices.Clone(s.Reads), "layer_types")
	s.Variant = func(r *family.Reader, s family.Spec) family.Spec {
		demand(r, "n_group", "topk_group", "routed_scaling_factor", "n_shared_experts")
		noauxAlone(r)
		must(r, "rope_interleave")
		indexedLayers(r)
		return s
	}
	return s
}(deepseekV3)

// glmMoEDSA: deepseek_v32 where some layers may see the keys that the layer before
// them chose.
var glmMoEDSA = func(s family.Spec) family.Spec {
	s.Name, s.ModelType, s.Architecture = "glm_moe_dsa", "glm_moe_dsa", "GlmMoeDsaForCausalLM"
	s.Eps, s.MaxPositions = 1e-5, 202752
	s.Latent = &family.LatentRule{QRank: 2048, Rank: 512, Still: 192, Turned: 64, Value: 256, Eps: 1e-6, Bias: s.Latent.Bias}
	s.Indexer = &family.IndexerRule{TopK: 2048, Size: 128, Heads: 32, Shared: sharedChoices}
	s.Reads = append(slices.Clone(s.Reads), "indexer_types", "index_topk_freq", "index_skip_topk_offset", "index_topk_pattern", "indexer_rope_interleave")
	s.Variant = func(r *family.Reader, s family.Spec) family.Spec {
		demand(r, "routed_scaling_factor", "n_shared_experts")
		noauxAlone(r)
		must(r, "rope_interleave", "indexer_rope_interleave")
		indexedLayers(r)
		return s
	}
	return s
}(deepseekV32)

// noauxAlone refuses the choices of experts that loaders of the family pass over.
func noauxAlone(r *family.Reader) {
	onlyValue(r, "topk_method", "noaux_tc")
	onlyValue(r, "scoring_func", "sigmoid")
	everyLayer(r)
}

// onlyValue refuses any other value of a key that loaders of the family pass over.
func onlyValue(r *family.Reader, key, want string) {
	if got := r.TextOr(want, key); got != want {
		r.Fail(family.Unsupported("%s is %q: loaders of this family compute %s whatever it says", key, got, want))
	}
}

// everyLayer refuses mixtures in some of the layers behind the dense ones.
func everyLayer(r *family.Reader) {
	if every := r.SizeOr(1, "moe_layer_freq"); r.Err == nil && every != 1 {
		r.Fail(family.Unsupported("moe_layer_freq is %d: loaders of this family have a mixture in every layer behind the dense ones", every))
	}
}

// numbers fails where a key is null, at which the loaders of the family stop.
func numbers(r *family.Reader, keys ...string) {
	for _, key := range keys {
		if string(r.C.Raw(key)) == "null" {
			r.Fail(fmt.Errorf("key %q is null, at which stock loaders stop: write the number that the model was made with", key))
		}
	}
}

// demand fails where a key is absent whose number the configuration class would give.
func demand(r *family.Reader, keys ...string) {
	for _, key := range keys {
		if r.C.Raw(key) == nil {
			r.Fail(fmt.Errorf("key %q is missing: write the number that the model was made with", key))
		}
	}
}
