package family

// stablelm: llama with layer norms and a quarter of each head rotary;
// use_parallel_residual feeds attention and MLP from one norm.
var stablelm = Spec{
	Name: "stablelm", ModelType: "stablelm", Architecture: "StableLmForCausalLM",
	Names: hfNames, Norm: LayerNorm, EpsKey: "layer_norm_eps", Eps: 1e-5, HiddenHeads: true,
	QKVBias: Rule{Key: "use_qkv_bias"}, Parallel: Rule{Key: "use_parallel_residual"},
	Rope: ropeDefaults{Theta: 10000, Partial: 0.25}, ReadsPartial: true,
	Reads: []string{"qk_layernorm"},
	Variant: func(r *reader, s Spec) Spec {
		if r.BoolOr(false, "qk_layernorm") {
			r.Fail(unsupported("qk_layernorm is true: a layer norm of its own for every head"))
		}
		s.SharedNorm = r.BoolOr(false, "use_parallel_residual")
		return s
	},
}
