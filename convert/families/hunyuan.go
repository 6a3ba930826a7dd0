package families

import "github.com/pecvt/pecvt/convert/family"

// hunyuan: llama with RMS norms of each query and key head after the rotation, whose
// base an alpha may stretch.
var hunyuan = family.Spec{
	Name: "hunyuan_v1_dense", ModelType: "hunyuan_v1_dense", Architecture: "HunYuanDenseV1ForCausalLM",
	About: "a base stretched by alpha",
	Names: family.HFNames.With(func(n *family.Names) {
		n.QNorm, n.KNorm = "model.layers.{i}.self_attn.query_layernorm", "model.layers.{i}.self_attn.key_layernorm"
	}),
	Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-5, Act: "silu", MaxPositions: 2048,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"},
	QKNorm: family.Rule{Always: true}, NormAfter: true,
	Rope:  family.RopeDefaults{Theta: 10000, Alpha: true},
	Reads: []string{"eod_token_id", "use_qk_norm", "use_cla"},
	Variant: func(r *family.Reader, s family.Spec) family.Spec {
		must(r, "use_qk_norm")
		refuse(r, "use_cla", "attention to the keys and values of another layer")
		return s
	},
}
