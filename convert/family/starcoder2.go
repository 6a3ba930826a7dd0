package family

// starcoder2: rotary with layer norms, an MLP without a gate, biases
// everywhere unless use_bias is false, and a sliding window where one is
// declared.
var starcoder2 = Spec{
	Name: "starcoder2", ModelType: "starcoder2", Architecture: "Starcoder2ForCausalLM",
	Names: hfNames.with(func(n *Names) {
		n.Gate, n.Up, n.Down = "", "model.layers.{i}.mlp.c_fc", "model.layers.{i}.mlp.c_proj"
	}),
	Norm: LayerNorm, EpsKey: "norm_epsilon", Eps: 1e-5,
	QKVBias: Rule{Key: "use_bias", Default: true}, OBias: Rule{Key: "use_bias", Default: true}, MLPBias: Rule{Key: "use_bias", Default: true},
	Window: WindowRule{Key: "sliding_window"}, Tied: true,
	Rope: ropeDefaults{Theta: 10000},
}
