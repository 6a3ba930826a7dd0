package families

import (
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// falcon has three forms. The first (alibi, multi_query and parallel_attn as
// they are declared) has a fused matrix head by head, or all queries with one
// key and value; new_decoder_architecture groups queries with their key and
// value and puts attention and MLP side by side. alibi adds the bias before the
// score is scaled, rounded to bf16; else every coordinate turns.
var falcon = family.Spec{
	Name: "falcon", ModelType: "falcon", Architecture: "FalconForCausalLM",
	About: "ALiBi (rounded to bf16) or rotary, one or several key/value heads",
	Names: family.BloomNames,
	Keys: family.Keys{
		Vocab: []string{"vocab_size"}, Hidden: []string{"n_embed", "hidden_size"}, Layers: []string{"num_hidden_layers", "n_layer"},
		Heads: []string{"num_attention_heads", "n_head"}, Inner: []string{"ffn_hidden_size"},
		MaxPositions: []string{"max_position_embeddings"}, Act: []string{"activation"},
	},
	HiddenHeads: true, Norm: family.LayerNorm, EpsKey: "layer_norm_epsilon", Eps: 1e-5, Act: "gelu",
	Inner: func(hidden int) int { return 4 * hidden }, MaxPositions: 2048,
	QKVBias: family.Rule{Key: "bias"}, OBias: family.Rule{Key: "bias"}, MLPBias: family.Rule{Key: "bias"},
	Reads: []string{"new_decoder_architecture", "multi_query", "parallel_attn", "num_ln_in_parallel_attn", "num_kv_heads", "alibi"},
	Tied:  true, Rope: family.RopeDefaults{Theta: 10000},
	Variant: falconVariant,
}

func falconVariant(r *family.Reader, s family.Spec) family.Spec {
	grouped, oneKey, parallel := r.Truth(false, "new_decoder_architecture"), r.Truth(true, "multi_query"), r.Truth(true, "parallel_attn")
	norms := r.SizeOrZero("num_ln_in_parallel_attn", 0)
	s.Parallel = family.Rule{Always: parallel}
	switch {
	case grouped:
		if !parallel {
			r.Fail(family.Unsupported("new_decoder_architecture with parallel_attn false: loaders disagree on it"))
		}
		s.GroupedQKV, s.Keys.KVHeads = true, []string{"num_kv_heads"}
		if norms == 0 {
			norms = 2
		}
		if norms == 2 {
			s.Names.AttnNorm, s.Names.MLPNorm = "transformer.h.{i}.ln_attn", "transformer.h.{i}.ln_mlp"
		} else {
			s.SharedNorm = true
		}
	case parallel && norms == 2:
		r.Fail(family.Unsupported("num_ln_in_parallel_attn 2 without new_decoder_architecture"))
	case oneKey:
		s.OneKV, s.SharedNorm = true, parallel
		if kv, ok, err := r.C.Int("num_kv_heads"); err == nil && ok && kv != 1 && kv != r.SizeOr(0, s.Keys.Heads...) { // as many as heads is the default, as saved
			r.Warn("num_kv_heads is %d, yet multi_query is not false: loaders of this family have one key/value head then, and so does pecvt", kv)
		}
	default:
		s.GroupedQKV, s.SharedNorm = true, parallel
		if kv, ok, err := r.C.Int("num_kv_heads"); err == nil && ok && kv != r.SizeOr(0, s.Keys.Heads...) {
			r.Fail(family.Unsupported("num_kv_heads %d with multi_query false and the older architecture: expected as many as heads", kv))
		}
	}
	if r.Truth(false, "alibi") {
		s.Position = falconAlibi
	}
	return s
}

func falconAlibi(r *family.Reader, m *family.Model, heads, headDim int) family.Position {
	slopes, err := posenc.Slopes(heads)
	r.Fail(err)
	return family.Position{Rotary: family.Still(headDim), Bias: &family.Bias{Kind: family.ALiBi, Slopes: slopes, RoundBF16: true, BeforeScale: true}}
}
