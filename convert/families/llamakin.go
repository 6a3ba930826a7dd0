package families

import "github.com/pecvt/pecvt/convert/family"

// Families of llama's layers under keys, names and defaults of their own.

// exaone: llama's layers under other names.
var exaone = family.Spec{
	Name: "exaone", ModelType: "exaone", Architecture: "ExaoneForCausalLM",
	Names: family.Names{
		Embed: "transformer.wte", FinalNorm: "transformer.ln_f", Head: "lm_head",
		AttnNorm: "transformer.h.{i}.ln_1", MLPNorm: "transformer.h.{i}.ln_2",
		Q: "transformer.h.{i}.attn.attention.q_proj", K: "transformer.h.{i}.attn.attention.k_proj", V: "transformer.h.{i}.attn.attention.v_proj",
		O:    "transformer.h.{i}.attn.attention.out_proj",
		Gate: "transformer.h.{i}.mlp.c_fc_0", Up: "transformer.h.{i}.mlp.c_fc_1", Down: "transformer.h.{i}.mlp.c_proj",
		Ignore: []string{"transformer.h.{i}.attn.attention.rotary.inv_freq", "transformer.rotary.inv_freq"},
	},
	Keys: func(k family.Keys) family.Keys {
		k.Layers = []string{"num_hidden_layers", "num_layers"}
		k.Act = []string{"hidden_act", "activation_function"}
		return k
	}(family.HFKeys),
	Norm: family.RMS, EpsKey: "rms_norm_eps", EpsOlder: "layer_norm_epsilon", Eps: 1e-5, Act: "silu", MaxPositions: 4096,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"}, MLPBias: family.Rule{Key: "mlp_bias"},
	Rope: family.RopeDefaults{Theta: 500000},
}

// internLM3: llama with one switch for the biases of attention and one for those
// of the MLP, which stock loaders want alike.
var internLM3 = family.Spec{
	Name: "internlm3", ModelType: "internlm3", Architecture: "InternLM3ForCausalLM",
	Names: family.HFNames, Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-5, Act: "silu", MaxPositions: 32768, HeadDim: 128,
	QKVBias: family.Rule{Key: "attention_bias", Older: "qkv_bias"}, OBias: family.Rule{Key: "attention_bias", Older: "qkv_bias"},
	MLPBias: family.Rule{Key: "mlp_bias", Older: "bias"},
	Rope:    family.RopeDefaults{Theta: 10000},
	Adjust: func(r *family.Reader, m *family.Model) {
		if (m.Blocks[0].Attn().Q.Bias == nil) != (m.Blocks[0].MLP().Up.Bias == nil) {
			r.Fail(family.Unsupported("attention_bias and mlp_bias (qkv_bias and bias) differ, at which stock loaders stop; set both alike"))
		}
	},
}

// iquestCoder: llama with a head size of 128 where none is declared.
var iquestCoder = family.Spec{
	Name: "iquestcoder", ModelType: "iquestcoder", Architecture: "IQuestCoderForCausalLM",
	Names: family.HFNames, Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-5, Act: "silu", MaxPositions: 131072, HeadDim: 128,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"}, MLPBias: family.Rule{Key: "mlp_bias"},
	Rope: family.RopeDefaults{Theta: 10000},
}

// seedOSS: llama whose biases of q, k and v and of the output have keys of their
// own.
var seedOSS = family.Spec{
	Name: "seed_oss", ModelType: "seed_oss", Architecture: "SeedOssForCausalLM",
	Names: family.HFNames, Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-6, Act: "silu", MaxPositions: 524288, HeadDim: 128,
	QKVBias: family.Rule{Key: "attention_bias", Default: true}, OBias: family.Rule{Key: "attention_out_bias"}, MLPBias: family.Rule{Key: "mlp_bias"},
	Rope: family.RopeDefaults{Theta: 10000},
}

// cwm: llama with a window on all layers but every fourth, the first among them.
var cwm = family.Spec{
	Name: "cwm", ModelType: "cwm", Architecture: "CwmForCausalLM",
	Names: family.HFNames, Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-5, Act: "silu", MaxPositions: 131072, HeadDim: 128,
	MLPBias: family.Rule{Key: "mlp_bias"},
	Window:  family.WindowRule{Key: "sliding_window", Default: 8192, ByType: true, Full: func(layer int) bool { return layer%4 == 0 }},
	Rope:    family.RopeDefaults{Theta: 1000000},
}

// ministral: mistral with a window on the layers that layer_types names.
var ministral = family.Spec{
	Name: "ministral", ModelType: "ministral", Architecture: "MinistralForCausalLM",
	Names: family.HFNames, Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-6, Act: "silu", MaxPositions: 131072,
	Window: family.WindowRule{Key: "sliding_window", Default: 4096, ByType: true},
	Rope:   family.RopeDefaults{Theta: 10000},
}

// ministral3: mistral with queries times a factor that grows with their position.
var ministral3 = family.Spec{
	Name: "ministral3", ModelType: "ministral3", Architecture: "Ministral3ForCausalLM",
	About: "queries scaled by position",
	Names: family.HFNames, Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-5, Act: "silu", MaxPositions: 262144, HeadDim: 128,
	Window: family.WindowRule{Key: "sliding_window"},
	Rope:   family.RopeDefaults{Theta: 10000, QueryScale: "llama_4_scaling_beta"},
}
