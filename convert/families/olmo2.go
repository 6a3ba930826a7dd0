package families

import "github.com/pecvt/pecvt/convert/family"

// olmo2: llama with norms on the outputs of attention and MLP instead of on
// their inputs, and RMS norms of queries and keys over all heads together.
var olmo2 = family.Spec{
	Name: "olmo2", ModelType: "olmo2", Architecture: "Olmo2ForCausalLM",
	Names: family.HFNames.With(func(n *family.Names) {
		n.AttnNorm, n.AttnOutNorm = "", "model.layers.{i}.post_attention_layernorm"
		n.MLPNorm, n.MLPOutNorm = "", "model.layers.{i}.post_feedforward_layernorm"
		n.QNorm, n.KNorm = "model.layers.{i}.self_attn.q_norm", "model.layers.{i}.self_attn.k_norm"
	}),
	Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-5, Act: "silu", MaxPositions: 2048,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"},
	QKNorm: family.Rule{Always: true}, NormOverHeads: true,
	Rope: family.RopeDefaults{Theta: 10000},
}

// olmo3: olmo2 with layers of sliding attention, three of four, which turn by a
// declaration of their own: yarn is of full attention alone.
var olmo3 = family.Spec{
	Name: "olmo3", ModelType: "olmo3", Architecture: "Olmo3ForCausalLM",
	About: "a rotation for each type of layer",
	Names: olmo2.Names, Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-5, Act: "silu", MaxPositions: 2048,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"},
	QKNorm: family.Rule{Always: true}, NormOverHeads: true,
	Window: family.WindowRule{Key: "sliding_window", Default: 4096, ByType: true, Full: every(4)},
	Rope:   family.RopeDefaults{Theta: 500000, Sliding: &family.RopeDefaults{Theta: 500000}},
}
