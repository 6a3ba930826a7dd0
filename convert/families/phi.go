package families

import "github.com/pecvt/pecvt/convert/family"

// phi: layer norms, one of them for attention and MLP side by side, biases
// everywhere, the head's too, half of each head turned.
var phi = family.Spec{
	Name: "phi", ModelType: "phi", Architecture: "PhiForCausalLM",
	Names: family.HFNames.With(func(n *family.Names) {
		n.FinalNorm, n.MLPNorm = "model.final_layernorm", ""
		n.O = "model.layers.{i}.self_attn.dense"
		n.QNorm, n.KNorm = "model.layers.{i}.self_attn.q_layernorm", "model.layers.{i}.self_attn.k_layernorm"
		n.Gate, n.Up, n.Down = "", "model.layers.{i}.mlp.fc1", "model.layers.{i}.mlp.fc2"
	}),
	Norm: family.LayerNorm, EpsKey: "layer_norm_eps", Eps: 1e-5, Act: "gelu_tanh", MaxPositions: 2048,
	QKVBias: family.Rule{Always: true}, OBias: family.Rule{Always: true}, MLPBias: family.Rule{Always: true}, HeadBias: family.Rule{Always: true},
	Parallel: family.Rule{Always: true}, SharedNorm: true,
	Rope: family.RopeDefaults{Theta: 10000, Partial: 0.5}, ReadsPartial: true,
	QKNorm: family.Rule{Key: "qk_layernorm"}, QKNormKind: family.LayerNorm,
}
