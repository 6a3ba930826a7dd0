package family

// qwen2: llama with biases on q, k and v.
var qwen2 = Spec{
	Name: "qwen2", ModelType: "qwen2", Architecture: "Qwen2ForCausalLM",
	Names: hfNames, Norm: RMS, EpsKey: "rms_norm_eps",
	QKVBias: Rule{Always: true},
	Window:  WindowRule{Key: "sliding_window", Switch: "use_sliding_window", Default: 4096, From: 28},
	Rope:    ropeDefaults{Theta: 10000},
}
