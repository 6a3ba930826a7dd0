package families

import "github.com/pecvt/pecvt/convert/family"

// held are parts of the names by which transformers 5.24 holds tensors, and writes them
// with save_original_format=False, where the published files, which the families' own
// names are, say otherwise. Experts in one tensor are package family's.
var held = map[string][]family.Rename{
	"aria_text":        {{From: ".experts.fc1.weight", To: ".experts.gate_up_proj"}, {From: ".experts.fc2.weight", To: ".experts.down_proj"}},
	"axk1":             {{From: ".post_mlp_layernorm.", To: ".mlp.post_mlp_layernorm."}},
	"ernie4_5_moe":     {{From: ".mlp.moe_statics.", To: ".mlp.gate.moe_statics."}},
	"exaone_moe":       {{From: ".mlp.e_score_correction_bias", To: ".mlp.gate.e_score_correction_bias"}},
	"flint":            {{From: ".softmax_offset", To: ".sinks"}},
	"granitemoe":       graniteHeld,
	"granitemoeshared": graniteHeld,
	"granitemoehybrid": graniteHeld,
	"hy_v3": {{From: ".mlp.router.gate.", To: ".mlp.gate."}, {From: ".mlp.expert_bias", To: ".mlp.e_score_correction_bias"},
		{From: ".shared_mlp.", To: ".shared_experts."}},
	"kolibri1": {{From: ".moe.router.expert_bias", To: ".mlp.gate.e_score_correction_bias"},
		{From: ".post_attn_norm.", To: ".post_self_attn_layernorm."}, {From: ".post_ffn_norm.", To: ".post_mlp_layernorm."}},
	"laguna":        {{From: ".mlp.experts.e_score_correction_bias", To: ".mlp.gate.e_score_correction_bias"}, {From: ".shared_expert.", To: ".shared_experts."}},
	"lfm3":          {{From: ".self_attn.gate_proj.", To: ".self_attn.g_proj."}},
	"mimo_v2_flash": {{From: ".attention_sink_bias", To: ".sinks"}},
	"minimax":       sparseHeld,
	"minimax_m2":    sparseHeld,
	"mixtral":       sparseHeld,
	"phimoe":        {{From: ".block_sparse_moe.gate.", To: ".mlp.router."}, {From: ".block_sparse_moe.", To: ".mlp."}},
}

var (
	sparseHeld  = []family.Rename{{From: ".block_sparse_moe.", To: ".mlp."}}
	graniteHeld = []family.Rename{
		{From: ".block_sparse_moe.input_linear.weight", To: ".block_sparse_moe.experts.gate_up_proj"},
		{From: ".block_sparse_moe.output_linear.weight", To: ".block_sparse_moe.experts.down_proj"},
		{From: ".block_sparse_moe.router.layer.", To: ".block_sparse_moe.router."},
	}
)
