package arch

// falcon is written in two forms: that of 7B, one key and value and one norm for
// attention and MLP; that of 40B, key/value groups and a norm for each, whose
// first is the MLP's (tensor_mapping.py).
var falcon = Arch{
	Name: "falcon", Family: "falcon", Class: "FalconForCausalLM",
	Names: falconNames("transformer.h.{i}.input_layernorm"),
	Keys: []Key{
		{GGUF: "context_length", Config: "max_position_embeddings"},
		{GGUF: "embedding_length", Config: "hidden_size"},
		{GGUF: "block_count", Config: "num_hidden_layers"},
		{GGUF: "attention.head_count", Config: "num_attention_heads"},
		{GGUF: "attention.head_count_kv", Config: "num_kv_heads"},
		{GGUF: "feed_forward_length", Config: "ffn_hidden_size"},
		{GGUF: normEps, Config: "layer_norm_epsilon", Kind: Real},
	},
	Fixed:  map[string]any{"alibi": false, "parallel_attn": true, "multi_query": true, "bias": false, "activation": "gelu"},
	Base:   "rope_theta",
	Adjust: falconForm,
}

func falconNames(attnNorm string) []Name {
	return []Name{
		{GGUF: "token_embd", Stored: "transformer.word_embeddings"},
		{GGUF: "output_norm", Stored: "transformer.ln_f"},
		{GGUF: "output", Stored: "lm_head"},
		{GGUF: "blk.{i}.attn_norm", Stored: attnNorm},
		{GGUF: "blk.{i}.attn_norm_2", Stored: "transformer.h.{i}.ln_attn"},
		{GGUF: "blk.{i}.attn_qkv", Stored: "transformer.h.{i}.self_attention.query_key_value", Order: Grouped},
		{GGUF: "blk.{i}.attn_output", Stored: "transformer.h.{i}.self_attention.dense"},
		{GGUF: "blk.{i}.ffn_up", Stored: "transformer.h.{i}.mlp.dense_h_to_4h"},
		{GGUF: "blk.{i}.ffn_down", Stored: "transformer.h.{i}.mlp.dense_4h_to_h"},
	}
}

func falconForm(r *reader) {
	two := r.hasTensor("blk.0.attn_norm_2.weight")
	kv, _ := r.size("attention.head_count_kv")
	r.config["new_decoder_architecture"] = two || kv != 1
	if two {
		r.config["num_ln_in_parallel_attn"] = 2
		r.arch.Names = falconNames("transformer.h.{i}.ln_mlp")
	} else if kv != 1 {
		r.config["num_ln_in_parallel_attn"] = 1
	}
}
