package families

import "github.com/pecvt/pecvt/convert/family"

// graniteExperts is granite with a mixture in every layer, whose experts lie in one
// tensor, and whose softmax is over those chosen.
func graniteExperts(s family.Spec) family.Spec {
	s.MLPBias = family.Rule{}
	s.Names = s.Names.With(func(n *family.Names) {
		n.Router = "model.layers.{i}.block_sparse_moe.router.layer"
		n.ExpertGateUp, n.ExpertDown = "model.layers.{i}.block_sparse_moe.input_linear", "model.layers.{i}.block_sparse_moe.output_linear"
	})
	s.Experts = &family.ExpertsRule{Count: []string{"num_local_experts", "num_experts"}, TopK: expertsTopK, Inner: wholeInner, Score: "softmax", Normalise: family.Rule{Always: true}}
	return s
}

// graniteMoE is that, and graniteMoEShared has an expert that every token reads.
var (
	graniteMoE = func() family.Spec {
		s := graniteExperts(granite)
		s.Name, s.ModelType, s.Architecture = "granitemoe", "granitemoe", "GraniteMoeForCausalLM"
		return s
	}()
	graniteMoEShared = func() family.Spec {
		s := graniteExperts(granite)
		s.Name, s.ModelType, s.Architecture = "granitemoeshared", "granitemoeshared", "GraniteMoeSharedForCausalLM"
		s.Names = s.Names.With(func(n *family.Names) {
			n.SharedGateUp, n.SharedDown = "model.layers.{i}.shared_mlp.input_linear", "model.layers.{i}.shared_mlp.output_linear"
		})
		s.Experts.SharedInner = "shared_intermediate_size"
		return s
	}()
)

// exaoneMoE: exaone4 with norms before the branches, and DeepSeek V3's mixtures.
var exaoneMoE = func() family.Spec {
	s := exaone4
	s.Name, s.ModelType, s.Architecture = "exaone_moe", "exaone_moe", "ExaoneMoeForCausalLM"
	s.Names = normedHeads(sharedExpert(mixtureNames, "model.layers.{i}.mlp.shared_experts")).With(func(n *family.Names) {
		n.Correction = "model.layers.{i}.mlp.e_score_correction_bias"
	})
	s.Experts = noaux("num_experts", "num_local_experts")
	s.Experts.Shared, s.Experts.Types = "num_shared_experts", "mlp_layer_types"
	return s
}()

// sarvamMoE: glm4_moe with names of its own, and q, k and v fused.
var sarvamMoE = func() family.Spec {
	s := glm4MoE
	s.Name, s.ModelType, s.Architecture = "sarvam_moe", "sarvam_moe", "SarvamMoeForCausalLM"
	s.Names = corrected.With(func(n *family.Names) {
		n.Embed = "model.word_embeddings"
		n.Q, n.K, n.V, n.QKV, n.O = "", "", "", "model.layers.{i}.attention.query_key_value", "model.layers.{i}.attention.dense"
		n.QNorm, n.KNorm = "model.layers.{i}.attention.query_layernorm", "model.layers.{i}.attention.key_layernorm"
		n.Correction = "model.layers.{i}.mlp.gate.expert_bias"
	})
	s.Rope = family.RopeDefaults{Theta: 10000, Partial: 1}
	return s
}()
