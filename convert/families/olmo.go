package families

import "github.com/pecvt/pecvt/convert/family"

// olmo: llama with layer norms without weights, and bounds on queries, keys and
// values.
var olmo = family.Spec{
	Name: "olmo", ModelType: "olmo", Architecture: "OlmoForCausalLM",
	Names: family.HFNames, Norm: family.LayerNorm, Eps: 1e-5, NoNormBias: true, BareNorms: true, Act: "silu", MaxPositions: 2048,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"},
	Rope:  family.RopeDefaults{Theta: 10000},
	Reads: []string{"clip_qkv"},
	Adjust: func(r *family.Reader, m *family.Model) {
		bound := r.FloatOr(0, "clip_qkv")
		if bound < 0 || r.C.Has("clip_qkv") && bound == 0 {
			r.Fail(family.Unsupported("clip_qkv is %v; a positive bound is read, and null for none", bound))
		}
		for _, a := range m.Attentions() {
			a.Clip = bound
		}
	},
}
