package family

// qwen3: llama with an RMS norm on each query and key head before the
// rotation; its head size is its own key.
var qwen3 = Spec{
	Name: "qwen3", ModelType: "qwen3", Architecture: "Qwen3ForCausalLM",
	Names: hfNames.with(func(n *Names) {
		n.QNorm = "model.layers.{i}.self_attn.q_norm"
		n.KNorm = "model.layers.{i}.self_attn.k_norm"
	}),
	Norm: RMS, EpsKey: "rms_norm_eps",
	QKVBias: Rule{Key: "attention_bias"}, OBias: Rule{Key: "attention_bias"},
	QKNorm: Rule{Always: true}, HeadDim: 128,
	Window: WindowRule{Key: "sliding_window", Switch: "use_sliding_window", Default: 4096, From: 28},
	Rope:   ropeDefaults{Theta: 10000},
}
