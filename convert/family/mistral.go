package family

// mistral: llama with a sliding window on every layer where one is declared.
var mistral = Spec{
	Name: "mistral", ModelType: "mistral", Architecture: "MistralForCausalLM",
	Names: hfNames, Norm: RMS, EpsKey: "rms_norm_eps",
	Window: WindowRule{Key: "sliding_window", Default: 4096},
	Rope:   ropeDefaults{Theta: 10000}, PartialLayout: "phi3",
}
