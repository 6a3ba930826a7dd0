package families

import "github.com/pecvt/pecvt/convert/family"

// gptNeoX: layer norms with biases, q, k and v fused head by head, a quarter
// of each head rotary, attention and MLP side by side.
var gptNeoX = family.Spec{
	Name: "gpt_neox", ModelType: "gpt_neox", Architecture: "GPTNeoXForCausalLM",
	Names: family.Names{
		Embed: "gpt_neox.embed_in", FinalNorm: "gpt_neox.final_layer_norm", Head: "lm_head",
		AttnNorm: "gpt_neox.layers.{i}.input_layernorm", MLPNorm: "gpt_neox.layers.{i}.post_attention_layernorm",
		QKV: "gpt_neox.layers.{i}.attention.query_key_value", O: "gpt_neox.layers.{i}.attention.dense",
		Up: "gpt_neox.layers.{i}.mlp.dense_h_to_4h", Down: "gpt_neox.layers.{i}.mlp.dense_4h_to_h",
		Ignore: []string{"gpt_neox.layers.{i}.attention.bias", "gpt_neox.layers.{i}.attention.masked_bias", "gpt_neox.layers.{i}.attention.rotary_emb.inv_freq"},
	},
	Older: []family.Rename{{From: "lm_head", To: "embed_out"}}, // transformers before 5
	Keys: func(k family.Keys) family.Keys {
		k.KVHeads, k.HeadDim = nil, nil
		return k
	}(family.HFKeys),
	Norm: family.LayerNorm, EpsKey: "layer_norm_eps", Eps: 1e-5,
	QKVBias: family.Rule{Key: "attention_bias", Default: true}, OBias: family.Rule{Key: "attention_bias", Default: true}, MLPBias: family.Rule{Always: true},
	HiddenHeads: true, GroupedQKV: true, Parallel: family.Rule{Key: "use_parallel_residual", Default: true},
	Rope: family.RopeDefaults{Theta: 10000, Partial: 0.25, ThetaKey: "rotary_emb_base", PartialKey: "rotary_pct"}, ReadsPartial: true,
}
