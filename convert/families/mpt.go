package families

import (
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// mpt: ALiBi with slopes in an order of its own, layer norms without biases,
// no bias anywhere, q, k and v fused one after another.
var mpt = family.Spec{
	Name: "mpt", ModelType: "mpt", Architecture: "MptForCausalLM",
	About: "family.ALiBi",
	Names: family.Names{
		Embed: "transformer.wte", FinalNorm: "transformer.norm_f", Head: "lm_head",
		AttnNorm: "transformer.blocks.{i}.norm_1", MLPNorm: "transformer.blocks.{i}.norm_2",
		QKV: "transformer.blocks.{i}.attn.Wqkv", O: "transformer.blocks.{i}.attn.out_proj",
		Up: "transformer.blocks.{i}.ffn.up_proj", Down: "transformer.blocks.{i}.ffn.down_proj",
	},
	Keys: family.Keys{
		Vocab: []string{"vocab_size"}, Hidden: []string{"hidden_size", "d_model"}, Layers: []string{"num_hidden_layers", "n_layers"},
		Heads: []string{"num_attention_heads", "n_heads"}, MaxPositions: []string{"max_seq_len"},
	},
	Norm: family.LayerNorm, EpsKey: "layer_norm_epsilon", Eps: 1e-5, NoNormBias: true, Act: "gelu",
	Inner: func(hidden int) int { return 4 * hidden }, MaxPositions: 2048, // whatever expansion_ratio says, as transformers does
	Reads: []string{"logit_scale", "no_bias", "norm_type", "expansion_ratio", "attn_config"}, HiddenHeads: true,
	Tied: true, Variant: mptVariant, Position: mptPosition,
}

// mptVariant refuses the forms that the original code has and stock loaders
// compute as if they were not declared.
func mptVariant(r *family.Reader, s family.Spec) family.Spec {
	if r.C.Has("logit_scale") {
		r.Fail(family.Unsupported("logit_scale is %s: stock loaders pass over it", r.C.Raw("logit_scale")))
	}
	if !r.BoolOr(true, "no_bias") {
		r.Fail(family.Unsupported("no_bias is false: stock loaders hold no biases"))
	}
	if norm := r.TextOr("low_precision_layernorm", "norm_type"); !strings.HasSuffix(norm, "layernorm") {
		r.Fail(family.Unsupported("norm_type %q: stock loaders take layer norms alone", norm))
	}
	return s
}

func mptPosition(r *family.Reader, m *family.Model, heads, headDim int) family.Position {
	if ratio := r.FloatOr(4, "expansion_ratio"); ratio != 4 {
		m.Warn("expansion_ratio is %v, and stock loaders make the MLP 4 times the hidden size all the same; 4 is used", ratio)
	}
	a, err := r.C.Object.Object("attn_config")
	r.Fail(err)
	if a == nil {
		a = &family.Object{}
	}
	in := &family.Reader{C: &family.Config{Object: a, Path: "attn_config"}}
	if kind := in.TextOr("multihead_attention", "attn_type"); kind != "multihead_attention" {
		in.Fail(family.Unsupported("attn_type %q: expected multihead_attention", kind))
	}
	for _, key := range []string{"prefix_lm", "qk_ln"} {
		if in.BoolOr(false, key) {
			in.Fail(family.Unsupported("%s is true", key))
		}
	}
	for _, key := range []string{"clip_qkv", "softmax_scale"} {
		if v := in.FloatOr(0, key); v != 0 {
			in.Fail(family.Unsupported("%s is %v: expected null", key, v))
		}
	}
	if !in.BoolOr(true, "alibi") {
		in.Fail(family.Unsupported("alibi is false: stock loaders add the bias all the same"))
	}
	biasMax := in.FloatOr(8, "alibi_bias_max")
	if biasMax != 8 {
		in.Fail(family.Unsupported("alibi_bias_max is %v: stock loaders take 8 all the same", biasMax))
	}
	if in.Err != nil {
		r.Fail(in.Err)
		return family.Position{}
	}
	slopes, err := posenc.SlopesMPT(heads, biasMax)
	r.Fail(err)
	return family.Position{Rotary: family.Still(headDim), Bias: &family.Bias{Kind: family.ALiBi, Slopes: slopes}}
}
