package arch

// qwen2 has biases on queries, keys and values.
var qwen2 = Arch{
	Name: "qwen2", Family: "qwen2", Class: "Qwen2ForCausalLM",
	Names: hfNames(AsIs, AsIs), Keys: hfKeys(rmsEps, "rms_norm_eps"),
	Fixed: map[string]any{"hidden_act": "silu", "use_sliding_window": false},
	Base:  "rope_theta",
}

// qwen3 normalises queries and keys.
var qwen3 = Arch{
	Name: "qwen3", Family: "qwen3", Class: "Qwen3ForCausalLM",
	Names: append(hfNames(AsIs, AsIs),
		Name{GGUF: "blk.{i}.attn_q_norm", Stored: "model.layers.{i}.self_attn.q_norm"},
		Name{GGUF: "blk.{i}.attn_k_norm", Stored: "model.layers.{i}.self_attn.k_norm"}),
	Keys:   hfKeys(rmsEps, "rms_norm_eps"),
	Fixed:  map[string]any{"hidden_act": "silu", "use_sliding_window": false},
	Biases: []Bias{{"attention_bias", "blk.0.attn_q.bias"}},
	Base:   "rope_theta",
}
