package family

// phi3: llama with q, k, v and gate, up fused, and a partial rotary dimension
// that stock loaders read.
var phi3 = Spec{
	Name: "phi3", ModelType: "phi3", Architecture: "Phi3ForCausalLM",
	Names: hfNames.with(func(n *Names) {
		n.Q, n.K, n.V, n.QKV = "", "", "", "model.layers.{i}.self_attn.qkv_proj"
		n.Gate, n.Up, n.GateUp = "", "", "model.layers.{i}.mlp.gate_up_proj"
	}),
	Norm: RMS, EpsKey: "rms_norm_eps",
	Window: WindowRule{Key: "sliding_window"},
	Rope:   ropeDefaults{Theta: 10000, TrainedLength: 4096}, RopeTypes: []string{"default", "longrope"}, ReadsPartial: true, PartialLayout: "phi3",
}
