package families

import "github.com/pecvt/pecvt/convert/family"

// bitnet: llama with squared relu, and norms of what enters the output and the down
// projection. Its weights are floats, or packed (package quant).
var bitnet = family.Spec{
	Name: "bitnet", ModelType: "bitnet", Architecture: "BitNetForCausalLM",
	About: "gated squared relu",
	Names: family.HFNames.With(func(n *family.Names) {
		n.HeadNorm, n.DownNorm = "model.layers.{i}.self_attn.attn_sub_norm", "model.layers.{i}.mlp.ffn_sub_norm"
	}),
	Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-5, Act: "relu2", MaxPositions: 2048, NormOverHeads: true,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"},
	Rope: family.RopeDefaults{Theta: 500000},
}
