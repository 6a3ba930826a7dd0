package families

import "github.com/pecvt/pecvt/convert/family"

// starcoder2: rotary with layer norms, an MLP without a gate, biases
// everywhere unless use_bias is false, and a sliding window where one is
// declared.
var starcoder2 = family.Spec{
	Name: "starcoder2", ModelType: "starcoder2", Architecture: "Starcoder2ForCausalLM",
	Names: family.HFNames.With(func(n *family.Names) {
		n.Gate, n.Up, n.Down = "", "model.layers.{i}.mlp.c_fc", "model.layers.{i}.mlp.c_proj"
	}),
	Norm: family.LayerNorm, EpsKey: "norm_epsilon", Eps: 1e-5,
	QKVBias: family.Rule{Key: "use_bias", Default: true}, OBias: family.Rule{Key: "use_bias", Default: true}, MLPBias: family.Rule{Key: "use_bias", Default: true},
	Window: family.WindowRule{Key: "sliding_window"}, Tied: true,
	Rope: family.RopeDefaults{Theta: 10000},
}
