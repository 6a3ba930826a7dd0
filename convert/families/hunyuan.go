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
	Reads: append([]string{"eod_token_id", "use_qk_norm", "use_cla", "cla_share_factor", "use_rotary_pos_emb"}, hunyuanIds...),
	Variant: func(r *family.Reader, s family.Spec) family.Spec {
		must(r, "use_qk_norm", "use_rotary_pos_emb")
		refuse(r, "use_cla", "attention to the keys and values of another layer")
		return s
	},
}

// hunyuanIds are numbers of tokens, and sizes of images and of a head of classes, in
// published configurations: a model of text reads none of them.
var hunyuanIds = []string{"im_start_id", "im_end_id", "im_newline_id", "video_start_id", "video_end_id", "text_start_id", "text_end_id",
	"pad_id", "sep_id", "sft_id", "mask_init_id", "org_vocab_size", "class_num", "dense_list", "anyres_pooling_size", "max_image_size", "num_media_embeds"}
