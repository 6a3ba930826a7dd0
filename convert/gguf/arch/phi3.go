package arch

import "github.com/pecvt/pecvt/posenc"

// phi3 has queries, keys and values in one matrix, gate and up in another.
var phi3 = Arch{
	Name: "phi3", Family: "phi3", Class: "Phi3ForCausalLM",
	Names: []Name{
		{GGUF: "token_embd", Stored: "model.embed_tokens"},
		{GGUF: "output_norm", Stored: "model.norm"},
		{GGUF: "output", Stored: "lm_head"},
		{GGUF: "blk.{i}.attn_norm", Stored: "model.layers.{i}.input_layernorm"},
		{GGUF: "blk.{i}.attn_qkv", Stored: "model.layers.{i}.self_attn.qkv_proj"},
		{GGUF: "blk.{i}.attn_output", Stored: "model.layers.{i}.self_attn.o_proj"},
		{GGUF: "blk.{i}.ffn_norm", Stored: "model.layers.{i}.post_attention_layernorm"},
		{GGUF: "blk.{i}.ffn_up", Stored: "model.layers.{i}.mlp.gate_up_proj"},
		{GGUF: "blk.{i}.ffn_down", Stored: "model.layers.{i}.mlp.down_proj"},
	},
	Keys:  hfKeys(rmsEps, "rms_norm_eps"),
	Fixed: map[string]any{"hidden_act": "silu"},
	Base:  "rope_theta", Partial: "partial_rotary_factor", LongFactors: true,
	Adjust: phi3Window,
}

// phi3Window carries the window that the file declares. llama.cpp turns it off
// for every phi3 (src/models/phi3.cpp: no conversion is trusted to have set it);
// Phi-3's own code has it.
func phi3Window(r *reader) {
	n, ok := r.size("attention.sliding_window")
	if ok && n > 0 {
		r.config["sliding_window"] = n
		return
	}
	r.config["sliding_window"] = nil
	if p, _ := r.text("attention.sliding_window_pattern"); p != "" {
		r.failf("%s.attention.sliding_window_pattern is %q: %w", r.arch.Name, p, posenc.ErrUnsupported)
	}
}
