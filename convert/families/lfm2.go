package families

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
)

// lfm2: gated short convolutions in the place of attention on the layers that
// layer_types calls conv, or that full_attn_idxs does not list; norms of queries
// and keys per head; names of its own.
var lfm2 = family.Spec{
	Name: "lfm2", ModelType: "lfm2", Architecture: "Lfm2ForCausalLM",
	Names: family.Names{
		Embed: "model.embed_tokens", FinalNorm: "model.embedding_norm", Head: "lm_head",
		AttnNorm: "model.layers.{i}.operator_norm", MLPNorm: "model.layers.{i}.ffn_norm",
		Q: "model.layers.{i}.self_attn.q_proj", K: "model.layers.{i}.self_attn.k_proj", V: "model.layers.{i}.self_attn.v_proj",
		O:     "model.layers.{i}.self_attn.out_proj",
		QNorm: "model.layers.{i}.self_attn.q_layernorm", KNorm: "model.layers.{i}.self_attn.k_layernorm",
		ConvIn: "model.layers.{i}.conv.in_proj", Conv: "model.layers.{i}.conv.conv", ConvOut: "model.layers.{i}.conv.out_proj",
		Gate: "model.layers.{i}.feed_forward.w1", Up: "model.layers.{i}.feed_forward.w3", Down: "model.layers.{i}.feed_forward.w2",
	},
	Keys: func(k family.Keys) family.Keys {
		k.Inner = []string{"block_ff_dim", "intermediate_size"}
		return k
	}(family.HFKeys),
	Norm: family.RMS, EpsKey: "norm_eps", Eps: 1e-5, Act: "silu", MaxPositions: 128000, Tied: true,
	QKNorm:  family.Rule{Always: true},
	Conv:    family.ConvRule{Length: "conv_L_cache", Taps: 3, Bias: family.Rule{Key: "conv_bias"}, Layers: lfm2Convs},
	Rope:    family.RopeDefaults{Theta: 1000000},
	InnerOf: lfm2Inner, Variant: lfm2Tied,
	Reads: []string{"layer_types", "full_attn_idxs", "block_auto_adjust_ff_dim", "block_ffn_dim_multiplier", "block_multiple_of", "tie_embedding",
		"block_dim", "conv_dim", "conv_dim_out", "num_heads", "block_norm_eps", "block_use_swiglu", "use_pos_enc", // compared, see lfm2Older
		"block_mlp_init_scale", "block_out_init_scale", "block_use_xavier_init", "conv_use_xavier_init"}, // of training
	Adjust: lfm2Older,
}

// lfm2Convs lists the layers that have a convolution.
func lfm2Convs(r *family.Reader, layers int) []bool {
	out := make([]bool, layers)
	kinds := r.LayerTypes(layers)
	for i, kind := range kinds {
		switch kind {
		case "conv":
			out[i] = true
		case "full_attention":
		default:
			r.Fail(family.Unsupported("layer_types[%d] is %q: expected conv or full_attention", i, kind))
		}
	}
	full, err := r.C.Floats("full_attn_idxs")
	r.Fail(err)
	if kinds != nil || full == nil {
		return out
	}
	for i := range out {
		out[i] = true
	}
	for _, at := range full {
		if i := int(at); float64(i) == at && i >= 0 && i < layers {
			out[i] = false
			continue
		}
		r.Fail(fmt.Errorf("full_attn_idxs lists layer %v of %d", at, layers))
	}
	return out
}

// lfm2Inner is the MLP's inner size: two thirds of the declared one, times
// block_ffn_dim_multiplier, up to a multiple of block_multiple_of, unless
// block_auto_adjust_ff_dim is false.
func lfm2Inner(r *family.Reader, inner int) int {
	if !r.BoolOr(true, "block_auto_adjust_ff_dim") {
		return inner
	}
	inner = 2 * inner / 3
	if factor, ok, err := r.C.Float("block_ffn_dim_multiplier"); err != nil || ok {
		r.Fail(err)
		inner = int(factor * float64(inner))
	}
	of := r.SizeOr(256, "block_multiple_of")
	if r.Err != nil {
		return inner
	}
	return (inner + of - 1) / of * of
}

// lfm2Tied reads the older key of tie_word_embeddings, which counts where both
// are there.
func lfm2Tied(r *family.Reader, s family.Spec) family.Spec {
	if !r.C.Has("tie_embedding") {
		return s
	}
	s.Tied = r.BoolOr(true, "tie_embedding")
	if other := r.BoolOr(s.Tied, "tie_word_embeddings"); other != s.Tied {
		r.Fail(family.Unsupported("tie_embedding is %v and tie_word_embeddings is %v; set both alike", s.Tied, other))
	}
	return s
}

// lfm2Older compares keys of published checkpoints that stock loaders pass over with
// what they stand for.
func lfm2Older(r *family.Reader, m *family.Model) {
	for _, key := range []string{"block_dim", "conv_dim", "conv_dim_out"} {
		if n := r.SizeOr(m.Hidden, key); n != m.Hidden {
			r.Fail(family.Unsupported("%s is %d and hidden_size is %d: stock loaders have one size for both", key, n, m.Hidden))
		}
	}
	if heads := m.FirstAttn().Heads; heads > 0 && r.SizeOr(heads, "num_heads") != heads {
		r.Fail(family.Unsupported("num_heads and num_attention_heads (%d) disagree", heads))
	}
	if eps, ok, err := r.C.Float("block_norm_eps"); err != nil || ok && eps != m.FinalNorm.Eps {
		r.Fail(err)
		r.Fail(family.Unsupported("block_norm_eps is %g and norm_eps is %g: stock loaders have one for all norms", eps, m.FinalNorm.Eps))
	}
	for _, key := range []string{"block_use_swiglu", "use_pos_enc"} {
		if !r.BoolOr(true, key) {
			r.Fail(family.Unsupported("%s is false: stock loaders compute as if it were true", key))
		}
	}
}
