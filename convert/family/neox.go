package family

// gptNeoX: layer norms with biases, q, k and v fused head by head, a quarter
// of each head rotary, attention and MLP side by side.
var gptNeoX = Spec{
	Name: "gpt_neox", ModelType: "gpt_neox", Architecture: "GPTNeoXForCausalLM",
	Names: Names{
		Embed: "gpt_neox.embed_in", FinalNorm: "gpt_neox.final_layer_norm", Head: "lm_head",
		AttnNorm: "gpt_neox.layers.{i}.input_layernorm", MLPNorm: "gpt_neox.layers.{i}.post_attention_layernorm",
		QKV: "gpt_neox.layers.{i}.attention.query_key_value", O: "gpt_neox.layers.{i}.attention.dense",
		Up: "gpt_neox.layers.{i}.mlp.dense_h_to_4h", Down: "gpt_neox.layers.{i}.mlp.dense_4h_to_h",
		Ignore: []string{"gpt_neox.layers.{i}.attention.bias", "gpt_neox.layers.{i}.attention.masked_bias", "gpt_neox.layers.{i}.attention.rotary_emb.inv_freq"},
	},
	Older: []Rename{{"lm_head", "embed_out"}}, // transformers before 5
	Keys: func(k Keys) Keys {
		k.KVHeads, k.HeadDim = nil, nil
		return k
	}(hfKeys),
	Norm: LayerNorm, EpsKey: "layer_norm_eps", Eps: 1e-5,
	QKVBias: Rule{Key: "attention_bias", Default: true}, OBias: Rule{Key: "attention_bias", Default: true}, MLPBias: Rule{Always: true},
	HiddenHeads: true, GroupedQKV: true, Parallel: Rule{Key: "use_parallel_residual", Default: true},
	Rope: ropeDefaults{Theta: 10000, Partial: 0.25, ThetaKey: "rotary_emb_base", PartialKey: "rotary_pct"}, ReadsPartial: true,
}
