package families

import "github.com/pecvt/pecvt/convert/family"

// multipliers are the keys that granite and its kin read beside llama's.
var multipliers = []string{"embedding_multiplier", "residual_multiplier", "attention_multiplier", "logits_scaling"}

// granite: llama with factors on the embedding, on what branches add, on the scores
// (in place of 1/√d) and on the logits, which are divided by theirs.
var granite = family.Spec{
	Name: "granite", ModelType: "granite", Architecture: "GraniteForCausalLM",
	About: "factors of embedding, branches, scores and logits",
	Names: family.HFNames, Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-6, Act: "silu", MaxPositions: 2048,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"}, MLPBias: family.Rule{Key: "mlp_bias"},
	Rope:  family.RopeDefaults{Theta: 10000},
	Reads: multipliers,
	Adjust: func(r *family.Reader, m *family.Model) {
		scaled(r, m, 1)
		m.LogitScale = oneAsNone(1 / factor(r, "logits_scaling", 1))
	},
}

// hyperclovax: granite with norms on the branches' outputs too, and logits that are
// multiplied by their factor.
var hyperCLOVAX = family.Spec{
	Name: "hyperclovax", ModelType: "hyperclovax", Architecture: "HyperCLOVAXForCausalLM",
	About: "factors of embedding, branches, scores and logits",
	Names: family.HFNames.With(func(n *family.Names) {
		n.AttnOutNorm, n.MLPOutNorm = "model.layers.{i}.post_norm1", "model.layers.{i}.post_norm2"
	}),
	Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-6, Act: "silu", MaxPositions: 2048,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"}, MLPBias: family.Rule{Key: "mlp_bias"},
	Rope:  family.RopeDefaults{Theta: 10000},
	Reads: append([]string{"use_post_norm"}, multipliers...),
	Variant: func(r *family.Reader, s family.Spec) family.Spec {
		if !r.BoolOr(true, "use_post_norm") {
			s.Names.AttnOutNorm, s.Names.MLPOutNorm = "", ""
		}
		return s
	},
	Adjust: func(r *family.Reader, m *family.Model) {
		scaled(r, m, 0)
		m.LogitScale = oneAsNone(factor(r, "logits_scaling", 1))
	},
}
