package arch

import (
	"github.com/pecvt/pecvt/posenc"
)

// bloom has ALiBi, whose largest slope llama.cpp fixes at 8.
var bloom = Arch{
	Name: "bloom", Family: "bloom", Class: "BloomForCausalLM",
	Names: []Name{
		{GGUF: "token_embd", Stored: "transformer.word_embeddings"},
		{GGUF: "token_embd_norm", Stored: "transformer.word_embeddings_layernorm"},
		{GGUF: "output_norm", Stored: "transformer.ln_f"},
		{GGUF: "output", Stored: "lm_head"},
		{GGUF: "blk.{i}.attn_norm", Stored: "transformer.h.{i}.input_layernorm"},
		{GGUF: "blk.{i}.attn_qkv", Stored: "transformer.h.{i}.self_attention.query_key_value", Order: Grouped},
		{GGUF: "blk.{i}.attn_output", Stored: "transformer.h.{i}.self_attention.dense"},
		{GGUF: "blk.{i}.ffn_norm", Stored: "transformer.h.{i}.post_attention_layernorm"},
		{GGUF: "blk.{i}.ffn_up", Stored: "transformer.h.{i}.mlp.dense_h_to_4h"},
		{GGUF: "blk.{i}.ffn_down", Stored: "transformer.h.{i}.mlp.dense_4h_to_h"},
	},
	Keys: []Key{
		{GGUF: "context_length", Config: "seq_length"},
		{GGUF: "embedding_length", Config: "hidden_size"},
		{GGUF: "block_count", Config: "n_layer"},
		{GGUF: "attention.head_count", Config: "n_head"},
		{GGUF: normEps, Config: "layer_norm_epsilon", Kind: Real},
	},
	Adjust: func(r *reader) { fourTimesWide(r); oneKeyPerHead(r) },
}

// mpt has ALiBi too, and says how steep it is.
var mpt = Arch{
	Name: "mpt", Family: "mpt", Class: "MptForCausalLM",
	Names: []Name{
		{GGUF: "token_embd", Stored: "transformer.wte"},
		{GGUF: "output_norm", Stored: "transformer.norm_f"},
		{GGUF: "output", Stored: "lm_head"},
		{GGUF: "blk.{i}.attn_norm", Stored: "transformer.blocks.{i}.norm_1"},
		{GGUF: "blk.{i}.attn_qkv", Stored: "transformer.blocks.{i}.attn.Wqkv"},
		{GGUF: "blk.{i}.attn_output", Stored: "transformer.blocks.{i}.attn.out_proj"},
		{GGUF: "blk.{i}.ffn_norm", Stored: "transformer.blocks.{i}.norm_2"},
		{GGUF: "blk.{i}.ffn_up", Stored: "transformer.blocks.{i}.ffn.up_proj"},
		{GGUF: "blk.{i}.ffn_down", Stored: "transformer.blocks.{i}.ffn.down_proj"},
	},
	Keys: []Key{
		{GGUF: "context_length", Config: "max_seq_len"},
		{GGUF: "embedding_length", Config: "d_model"},
		{GGUF: "block_count", Config: "n_layers"},
		{GGUF: "attention.head_count", Config: "n_heads"},
		{GGUF: normEps, Config: "layer_norm_epsilon", Kind: Real},
	},
	Adjust: func(r *reader) {
		fourTimesWide(r)
		oneKeyPerHead(r)
		steep, _ := r.real("attention.max_alibi_bias")
		if steep == 0 {
			r.failf("attention.max_alibi_bias is 0, an MPT with learnt positions: %w", posenc.ErrUnsupported)
		}
		if clamp, ok := r.real("attention.clamp_kqv"); ok && clamp != 0 {
			r.failf("attention.clamp_kqv is %v: %w", clamp, posenc.ErrUnsupported)
		}
		r.config["attn_config"] = map[string]any{"alibi": true, "alibi_bias_max": steep}
	},
}

// fourTimesWide checks the size of an MLP that config.json has no key for.
func fourTimesWide(r *reader) {
	hidden, _ := r.size("embedding_length")
	if n, ok := r.size("feed_forward_length"); ok && n != 4*hidden {
		r.failf("feed_forward_length is %d: expected 4 times the embedding_length %d: %w", n, hidden, posenc.ErrUnsupported)
	}
}

// oneKeyPerHead checks that every head has its key, where config.json has no key
// for another number.
func oneKeyPerHead(r *reader) {
	heads, _ := r.size("attention.head_count")
	if n, ok := r.size("attention.head_count_kv"); ok && n != heads {
		r.failf("attention.head_count_kv is %d of %d heads: expected one for each: %w", n, heads, posenc.ErrUnsupported)
	}
	delete(r.config, "num_key_value_heads")
}
