package families

import "github.com/pecvt/pecvt/convert/family"

// phi3: llama with q, k, v and gate, up fused, and a partial rotary dimension
// that stock loaders read.
var phi3 = family.Spec{
	Name: "phi3", ModelType: "phi3", Architecture: "Phi3ForCausalLM",
	Names: family.HFNames.With(func(n *family.Names) {
		n.Q, n.K, n.V, n.QKV = "", "", "", "model.layers.{i}.self_attn.qkv_proj"
		n.Gate, n.Up, n.GateUp = "", "", "model.layers.{i}.mlp.gate_up_proj"
	}),
	Norm: family.RMS, EpsKey: "rms_norm_eps",
	Window: family.WindowRule{Key: "sliding_window"},
	Rope:   family.RopeDefaults{Theta: 10000, TrainedLength: 4096}, RopeTypes: []string{"default", "longrope"}, ReadsPartial: true, PartialLayout: "phi3",
}
