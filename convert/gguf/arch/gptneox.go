package arch

// gptneox has queries, keys and values in one matrix. Its converter writes no
// rope base.
var gptneox = Arch{
	Name: "gptneox", Family: "gpt_neox", Class: "GPTNeoXForCausalLM",
	Names: []Name{
		{GGUF: "token_embd", Stored: "gpt_neox.embed_in"},
		{GGUF: "output_norm", Stored: "gpt_neox.final_layer_norm"},
		{GGUF: "output", Stored: "embed_out"},
		{GGUF: "blk.{i}.attn_norm", Stored: "gpt_neox.layers.{i}.input_layernorm"},
		{GGUF: "blk.{i}.attn_qkv", Stored: "gpt_neox.layers.{i}.attention.query_key_value", Order: Grouped},
		{GGUF: "blk.{i}.attn_output", Stored: "gpt_neox.layers.{i}.attention.dense"},
		{GGUF: "blk.{i}.ffn_norm", Stored: "gpt_neox.layers.{i}.post_attention_layernorm"},
		{GGUF: "blk.{i}.ffn_up", Stored: "gpt_neox.layers.{i}.mlp.dense_h_to_4h"},
		{GGUF: "blk.{i}.ffn_down", Stored: "gpt_neox.layers.{i}.mlp.dense_4h_to_h"},
	},
	Keys: append(hfKeys(normEps, "layer_norm_eps"), Key{GGUF: "use_parallel_residual", Config: "use_parallel_residual", Kind: Truth}),
	// llama.cpp computes gelu by its tanh form for every model; the models that
	// there are were trained with the exact one.
	Fixed:  map[string]any{"hidden_act": "gelu"},
	Biases: []Bias{{"attention_bias", "blk.0.attn_qkv.bias"}},
	Base:   "rotary_emb_base", Partial: "rotary_pct",
	Adjust: oneKeyPerHead,
}
