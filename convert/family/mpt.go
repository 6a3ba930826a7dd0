package family

import (
	"strings"

	"github.com/pecvt/pecvt/posenc"
)

// mpt: ALiBi with slopes in an order of its own, layer norms without biases,
// no bias anywhere, q, k and v fused one after another.
var mpt = Spec{
	Name: "mpt", ModelType: "mpt", Architecture: "MptForCausalLM",
	About: "ALiBi",
	Names: Names{
		Embed: "transformer.wte", FinalNorm: "transformer.norm_f", Head: "lm_head",
		AttnNorm: "transformer.blocks.{i}.norm_1", MLPNorm: "transformer.blocks.{i}.norm_2",
		QKV: "transformer.blocks.{i}.attn.Wqkv", O: "transformer.blocks.{i}.attn.out_proj",
		Up: "transformer.blocks.{i}.ffn.up_proj", Down: "transformer.blocks.{i}.ffn.down_proj",
	},
	Keys: Keys{
		Vocab: []string{"vocab_size"}, Hidden: []string{"d_model"}, Layers: []string{"n_layers"},
		Heads: []string{"n_heads"}, MaxPositions: []string{"max_seq_len"},
	},
	Norm: LayerNorm, EpsKey: "layer_norm_epsilon", Eps: 1e-5, NoNormBias: true, Act: "gelu",
	Inner: func(hidden int) int { return 4 * hidden }, MaxPositions: 2048, // whatever expansion_ratio says, as transformers does
	Tied: true, Variant: mptVariant, Position: mptPosition,
}

// mptVariant refuses the forms that the original code has and stock loaders
// compute as if they were not declared.
func mptVariant(r *reader, s Spec) Spec {
	if r.c.Has("logit_scale") {
		r.fail(unsupported("logit_scale is %s: stock loaders pass over it", r.c.Raw("logit_scale")))
	}
	if !r.boolOr(true, "no_bias") {
		r.fail(unsupported("no_bias is false: stock loaders hold no biases"))
	}
	if norm := r.textOr("low_precision_layernorm", "norm_type"); !strings.HasSuffix(norm, "layernorm") {
		r.fail(unsupported("norm_type %q: stock loaders take layer norms alone", norm))
	}
	return s
}

func mptPosition(r *reader, m *Model, heads, headDim int) position {
	if ratio := r.floatOr(4, "expansion_ratio"); ratio != 4 {
		m.warn("expansion_ratio is %v, and stock loaders make the MLP 4 times the hidden size all the same; 4 is used", ratio)
	}
	a, err := r.c.Object.Object("attn_config")
	r.fail(err)
	if a == nil {
		a = &Object{}
	}
	in := &reader{c: &Config{Object: a, Path: "attn_config"}}
	if kind := in.textOr("multihead_attention", "attn_type"); kind != "multihead_attention" {
		in.fail(unsupported("attn_type %q: expected multihead_attention", kind))
	}
	for _, key := range []string{"prefix_lm", "qk_ln"} {
		if in.boolOr(false, key) {
			in.fail(unsupported("%s is true", key))
		}
	}
	for _, key := range []string{"clip_qkv", "softmax_scale"} {
		if v := in.floatOr(0, key); v != 0 {
			in.fail(unsupported("%s is %v: expected null", key, v))
		}
	}
	if !in.boolOr(true, "alibi") {
		in.fail(unsupported("alibi is false: stock loaders add the bias all the same"))
	}
	biasMax := in.floatOr(8, "alibi_bias_max")
	if biasMax != 8 {
		in.fail(unsupported("alibi_bias_max is %v: stock loaders take 8 all the same", biasMax))
	}
	if in.err != nil {
		r.fail(in.err)
		return position{}
	}
	slopes, err := posenc.SlopesMPT(heads, biasMax)
	r.fail(err)
	return position{rotary: still(headDim), bias: &Bias{Kind: ALiBi, Slopes: slopes}}
}
