package families

import "github.com/pecvt/pecvt/convert/family"

// llama: pre-norm RMS, gated SiLU, grouped queries, full rotary.
var llama = family.Spec{
	Name: "llama", ModelType: "llama", Architecture: "LlamaForCausalLM",
	Names: family.HFNames, Norm: family.RMS, EpsKey: "rms_norm_eps",
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"}, MLPBias: family.Rule{Key: "mlp_bias"},
	Rope: family.RopeDefaults{Theta: 10000}, PartialLayout: "phi3",
}
