package families

import "github.com/pecvt/pecvt/convert/family"

// persimmon: layer norms, of queries and keys too, biases everywhere but on the head,
// q, k and v fused head by head, an MLP of squared relu without a gate, half of each
// head turned.
var persimmon = family.Spec{
	Name: "persimmon", ModelType: "persimmon", Architecture: "PersimmonForCausalLM",
	About: "squared relu",
	Names: family.HFNames.With(func(n *family.Names) {
		n.FinalNorm = "model.final_layernorm"
		n.Q, n.K, n.V, n.QKV = "", "", "", "model.layers.{i}.self_attn.query_key_value"
		n.O = "model.layers.{i}.self_attn.dense"
		n.QNorm, n.KNorm = "model.layers.{i}.self_attn.q_layernorm", "model.layers.{i}.self_attn.k_layernorm"
		n.Gate, n.Up, n.Down = "", "model.layers.{i}.mlp.dense_h_to_4h", "model.layers.{i}.mlp.dense_4h_to_h"
	}),
	Keys: func(k family.Keys) family.Keys {
		k.KVHeads = nil
		return k
	}(family.HFKeys),
	Norm: family.LayerNorm, EpsKey: "layer_norm_eps", Eps: 1e-5, Act: "relu2", MaxPositions: 16384, HiddenHeads: true,
	QKVBias: family.Rule{Always: true}, OBias: family.Rule{Always: true}, MLPBias: family.Rule{Always: true}, GroupedQKV: true,
	QKNorm: family.Rule{Key: "qk_layernorm", Default: true}, QKNormKind: family.LayerNorm,
	Rope: family.RopeDefaults{Theta: 10000, Partial: 0.5}, ReadsPartial: true,
}
