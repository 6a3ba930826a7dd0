package families

import "github.com/pecvt/pecvt/convert/family"

// cohereCompass: cohere with planes of halves and a rotation for each type of layer;
// all see everything where layer_types is absent, and logits have no factor then.
var cohereCompass = family.Spec{
	Name: "cohere_compass_text", ModelType: "cohere_compass_text", Architecture: "CohereCompassForCausalLM",
	About: "a factor of the logits, a rotation for each type of layer",
	Names: cohere.Names,
	Norm:  family.LayerNorm, NoNormBias: true, EpsKey: "layer_norm_eps", Eps: 1e-5, Act: "silu", MaxPositions: 8192, Tied: true,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"},
	Parallel: family.Rule{Always: true}, SharedNorm: true,
	Window: family.WindowRule{Key: "sliding_window", Default: 4096, ByType: true, Full: func(int) bool { return true }},
	Rope:   family.RopeDefaults{Theta: 10000, Sliding: &family.RopeDefaults{Theta: 10000}},
	Reads:  []string{"logit_scale"},
	Adjust: func(r *family.Reader, m *family.Model) {
		m.LogitScale = oneAsNone(factor(r, "logit_scale", 1))
	},
}
