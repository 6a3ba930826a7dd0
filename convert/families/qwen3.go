package families

import "github.com/pecvt/pecvt/convert/family"

// qwen3: llama with an RMS norm on each query and key head before the
// rotation; its head size is its own key.
var qwen3 = family.Spec{
	Name: "qwen3", ModelType: "qwen3", Architecture: "Qwen3ForCausalLM",
	Names: family.HFNames.With(func(n *family.Names) {
		n.QNorm = "model.layers.{i}.self_attn.q_norm"
		n.KNorm = "model.layers.{i}.self_attn.k_norm"
	}),
	Norm: family.RMS, EpsKey: "rms_norm_eps",
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"},
	QKNorm: family.Rule{Always: true}, HeadDim: 128,
	Window: family.WindowRule{Key: "sliding_window", Switch: "use_sliding_window", Default: 4096, From: 28},
	Rope:   family.RopeDefaults{Theta: 10000},
}
