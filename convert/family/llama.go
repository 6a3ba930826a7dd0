package family

// llama: pre-norm RMS, gated SiLU, grouped queries, full rotary.
var llama = Spec{
	Name: "llama", ModelType: "llama", Architecture: "LlamaForCausalLM",
	Names: hfNames, Norm: RMS, EpsKey: "rms_norm_eps",
	QKVBias: Rule{Key: "attention_bias"}, OBias: Rule{Key: "attention_bias"}, MLPBias: Rule{Key: "mlp_bias"},
	Rope: ropeDefaults{Theta: 10000}, PartialLayout: "phi3",
}
