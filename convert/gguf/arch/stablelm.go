package arch

// stablelm is parallel where layers have no second norm: llama.cpp goes by that,
// and not by use_parallel_residual.
var stablelm = Arch{
	Name: "stablelm", Family: "stablelm", Class: "StableLmForCausalLM",
	Names: hfNames(AsIs, AsIs), Keys: hfKeys(normEps, "layer_norm_eps"),
	Fixed:  map[string]any{"hidden_act": "silu"},
	Biases: []Bias{{"use_qkv_bias", "blk.0.attn_q.bias"}},
	Base:   "rope_theta", Partial: "partial_rotary_factor",
	Adjust: func(r *reader) {
		r.skip("use_parallel_residual")
		r.config["use_parallel_residual"] = !r.hasTensor("blk.0.ffn_norm.weight")
	},
}
