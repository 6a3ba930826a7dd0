package arch

// hfNames are the names as most Hugging Face decoders have them.
func hfNames(q, k Order) []Name {
	return []Name{
		{GGUF: "token_embd", Stored: "model.embed_tokens"},
		{GGUF: "output_norm", Stored: "model.norm"},
		{GGUF: "output", Stored: "lm_head"},
		{GGUF: "blk.{i}.attn_norm", Stored: "model.layers.{i}.input_layernorm"},
		{GGUF: "blk.{i}.attn_q", Stored: "model.layers.{i}.self_attn.q_proj", Order: q},
		{GGUF: "blk.{i}.attn_k", Stored: "model.layers.{i}.self_attn.k_proj", Order: k},
		{GGUF: "blk.{i}.attn_v", Stored: "model.layers.{i}.self_attn.v_proj"},
		{GGUF: "blk.{i}.attn_output", Stored: "model.layers.{i}.self_attn.o_proj"},
		{GGUF: "blk.{i}.ffn_norm", Stored: "model.layers.{i}.post_attention_layernorm"},
		{GGUF: "blk.{i}.ffn_gate", Stored: "model.layers.{i}.mlp.gate_proj"},
		{GGUF: "blk.{i}.ffn_up", Stored: "model.layers.{i}.mlp.up_proj"},
		{GGUF: "blk.{i}.ffn_down", Stored: "model.layers.{i}.mlp.down_proj"},
	}
}

// hfKeys are the sizes as most Hugging Face decoders spell them, with a norm's ε.
func hfKeys(eps, epsKey string) []Key {
	return []Key{
		{GGUF: "context_length", Config: "max_position_embeddings"},
		{GGUF: "embedding_length", Config: "hidden_size"},
		{GGUF: "block_count", Config: "num_hidden_layers"},
		{GGUF: "feed_forward_length", Config: "intermediate_size"},
		{GGUF: "attention.head_count", Config: "num_attention_heads"},
		{GGUF: "attention.head_count_kv", Config: "num_key_value_heads", Optional: true},
		{GGUF: eps, Config: epsKey, Kind: Real},
	}
}

const (
	rmsEps  = "attention.layer_norm_rms_epsilon"
	normEps = "attention.layer_norm_epsilon"
)

// llama holds Llama and Mistral.
var llama = Arch{
	Name: "llama", Family: "llama", Class: "LlamaForCausalLM",
	Names: hfNames(TurnedQ, TurnedK), Keys: hfKeys(rmsEps, "rms_norm_eps"),
	Fixed:  map[string]any{"hidden_act": "silu"},
	Biases: []Bias{{"attention_bias", "blk.0.attn_q.bias"}, {"mlp_bias", "blk.0.ffn_up.bias"}},
	Base:   "rope_theta", FreqFactors: true, LongFactors: true,
}
