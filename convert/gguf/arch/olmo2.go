package arch

// olmo2 has norms behind attention and MLP, and of queries and keys.
var olmo2 = Arch{
	Name: "olmo2", Family: "olmo2", Class: "Olmo2ForCausalLM",
	Names: []Name{
		{GGUF: "token_embd", Stored: "model.embed_tokens"},
		{GGUF: "output_norm", Stored: "model.norm"},
		{GGUF: "output", Stored: "lm_head"},
		{GGUF: "blk.{i}.attn_q", Stored: "model.layers.{i}.self_attn.q_proj"},
		{GGUF: "blk.{i}.attn_k", Stored: "model.layers.{i}.self_attn.k_proj"},
		{GGUF: "blk.{i}.attn_v", Stored: "model.layers.{i}.self_attn.v_proj"},
		{GGUF: "blk.{i}.attn_output", Stored: "model.layers.{i}.self_attn.o_proj"},
		{GGUF: "blk.{i}.attn_q_norm", Stored: "model.layers.{i}.self_attn.q_norm"},
		{GGUF: "blk.{i}.attn_k_norm", Stored: "model.layers.{i}.self_attn.k_norm"},
		{GGUF: "blk.{i}.post_attention_norm", Stored: "model.layers.{i}.post_attention_layernorm"},
		{GGUF: "blk.{i}.ffn_gate", Stored: "model.layers.{i}.mlp.gate_proj"},
		{GGUF: "blk.{i}.ffn_up", Stored: "model.layers.{i}.mlp.up_proj"},
		{GGUF: "blk.{i}.ffn_down", Stored: "model.layers.{i}.mlp.down_proj"},
		{GGUF: "blk.{i}.post_ffw_norm", Stored: "model.layers.{i}.post_feedforward_layernorm"},
	},
	Keys:   hfKeys(rmsEps, "rms_norm_eps"),
	Fixed:  map[string]any{"hidden_act": "silu"},
	Biases: []Bias{{"attention_bias", "blk.0.attn_q.bias"}},
	Base:   "rope_theta",
}
