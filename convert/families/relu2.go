package families

import "github.com/pecvt/pecvt/convert/family"

// ungated are llama's names without a gate.
var ungated = family.HFNames.With(func(n *family.Names) { n.Gate = "" })

// nemotron: layer norms whose weight is stored less 1, an MLP of squared relu
// without a gate, half of each head turned.
var nemotron = family.Spec{
	Name: "nemotron", ModelType: "nemotron", Architecture: "NemotronForCausalLM",
	About: "squared relu",
	Names: ungated, Norm: family.LayerNorm, EpsKey: "norm_eps", Eps: 1e-5, NormOffset: 1, Act: "relu2", MaxPositions: 4096,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"}, MLPBias: family.Rule{Key: "mlp_bias"},
	Rope: family.RopeDefaults{Theta: 10000, Partial: 0.5}, ReadsPartial: true,
}

// arcee: llama with an MLP of squared relu without a gate.
var arcee = family.Spec{
	Name: "arcee", ModelType: "arcee", Architecture: "ArceeForCausalLM",
	About: "squared relu",
	Names: ungated, Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-5, Act: "relu2", MaxPositions: 4096,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"}, MLPBias: family.Rule{Key: "mlp_bias"},
	Rope: family.RopeDefaults{Theta: 10000},
}

// jais2: layer norms, biases everywhere, an MLP of squared relu without a gate.
var jais2 = family.Spec{
	Name: "jais2", ModelType: "jais2", Architecture: "Jais2ForCausalLM",
	About: "squared relu",
	Names: ungated, Norm: family.LayerNorm, EpsKey: "layer_norm_eps", Eps: 1e-5, Act: "relu2", MaxPositions: 8192,
	QKVBias: family.Rule{Key: "attention_bias", Default: true}, OBias: family.Rule{Key: "attention_bias", Default: true}, MLPBias: family.Rule{Key: "mlp_bias", Default: true},
	Rope: family.RopeDefaults{Theta: 10000},
}
