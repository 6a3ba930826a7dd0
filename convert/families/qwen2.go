package families

import "github.com/pecvt/pecvt/convert/family"

// qwen2: llama with biases on q, k and v.
var qwen2 = family.Spec{
	Name: "qwen2", ModelType: "qwen2", Architecture: "Qwen2ForCausalLM",
	Names: family.HFNames, Norm: family.RMS, EpsKey: "rms_norm_eps",
	QKVBias: family.Rule{Always: true},
	Window:  family.WindowRule{Key: "sliding_window", Switch: "use_sliding_window", Default: 4096, From: 28},
	Rope:    family.RopeDefaults{Theta: 10000},
}
