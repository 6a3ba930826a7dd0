package arch

// smollm3 has layers without rotation; llama.cpp knows every fourth alone.
var smollm3 = Arch{
	Name: "smollm3", Family: "smollm3", Class: "SmolLM3ForCausalLM",
	Names: hfNames(TurnedQ, TurnedK), Keys: hfKeys(rmsEps, "rms_norm_eps"),
	Fixed:  map[string]any{"hidden_act": "silu", "use_sliding_window": false, "no_rope_layer_interval": 4},
	Biases: []Bias{{"attention_bias", "blk.0.attn_q.bias"}, {"mlp_bias", "blk.0.ffn_up.bias"}},
	Base:   "rope_theta",
}
