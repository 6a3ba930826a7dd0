package families

import "github.com/pecvt/pecvt/convert/family"

// mistral: llama with a sliding window on every layer where one is declared.
var mistral = family.Spec{
	Name: "mistral", ModelType: "mistral", Architecture: "MistralForCausalLM",
	Names: family.HFNames, Norm: family.RMS, EpsKey: "rms_norm_eps",
	Window: family.WindowRule{Key: "sliding_window", Default: 4096},
	Rope:   family.RopeDefaults{Theta: 10000}, PartialLayout: "phi3",
}
