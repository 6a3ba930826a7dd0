package families

import "github.com/pecvt/pecvt/convert/family"

// helium: llama with planes of neighbouring coordinates.
var helium = family.Spec{
	Name: "helium", ModelType: "helium", Architecture: "HeliumForCausalLM",
	Names: family.HFNames, Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-8, Act: "silu", MaxPositions: 4096, HeadDim: 128,
	QKVBias: family.Rule{Key: "attention_bias"}, MLPBias: family.Rule{Key: "mlp_bias"},
	Interleaved: true, Rope: family.RopeDefaults{Theta: 100000},
}

// ernie45: llama with planes of neighbouring coordinates, and one switch for all
// biases.
var ernie45 = family.Spec{
	Name: "ernie4_5", ModelType: "ernie4_5", Architecture: "Ernie4_5ForCausalLM",
	Names: family.HFNames, Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-5, Act: "silu", MaxPositions: 131072, HeadDim: 128, Tied: true,
	QKVBias: family.Rule{Key: "use_bias"}, OBias: family.Rule{Key: "use_bias"}, MLPBias: family.Rule{Key: "use_bias"},
	Interleaved: true, Rope: family.RopeDefaults{Theta: 500000},
}

// glm: llama with gate and up fused, biases of q, k and v, and half of each head
// turned in planes of neighbouring coordinates.
var glm = family.Spec{
	Name: "glm", ModelType: "glm", Architecture: "GlmForCausalLM",
	Names: family.HFNames.With(func(n *family.Names) {
		n.Gate, n.Up, n.GateUp = "", "", "model.layers.{i}.mlp.gate_up_proj"
	}),
	Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1.5625e-7, Act: "silu", MaxPositions: 131072, HeadDim: 128,
	QKVBias: family.Rule{Key: "attention_bias", Default: true}, Interleaved: true,
	Rope: family.RopeDefaults{Theta: 10000, Partial: 0.5}, ReadsPartial: true,
}

// glm4: glm with norms on the branches' outputs too.
var glm4 = func(s family.Spec) family.Spec {
	s.Name, s.ModelType, s.Architecture = "glm4", "glm4", "Glm4ForCausalLM"
	s.Names = s.Names.With(func(n *family.Names) {
		n.AttnOutNorm, n.MLPOutNorm = "model.layers.{i}.post_self_attn_layernorm", "model.layers.{i}.post_mlp_layernorm"
	})
	return s
}(glm)
