package families

import (
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// bloom: ALiBi, a norm after the embedding, layer norms with biases, q, k and
// v fused head by head, an MLP of four times the hidden size with gelu's tanh
// form.
var bloom = family.Spec{
	Name: "bloom", ModelType: "bloom", Architecture: "BloomForCausalLM",
	About: "family.ALiBi",
	Names: family.BloomNames.With(func(n *family.Names) { n.EmbedNorm = "transformer.word_embeddings_layernorm" }),
	Keys: family.Keys{
		Vocab: []string{"vocab_size"}, Hidden: []string{"n_embed", "hidden_size"}, Layers: []string{"num_hidden_layers", "n_layer"},
		Heads: []string{"num_attention_heads", "n_head"}, MaxPositions: []string{"seq_length"},
	},
	Norm: family.LayerNorm, EpsKey: "layer_norm_epsilon", Eps: 1e-5, Act: "gelu_tanh",
	Inner: func(hidden int) int { return 4 * hidden }, MaxPositions: 2048,
	QKVBias: family.Rule{Always: true}, OBias: family.Rule{Always: true}, MLPBias: family.Rule{Always: true},
	GroupedQKV: true, Tied: true, HiddenHeads: true,
	Reads: []string{"apply_residual_connection_post_layernorm"},
	Variant: func(r *family.Reader, s family.Spec) family.Spec {
		if r.BoolOr(false, "apply_residual_connection_post_layernorm") {
			r.Fail(family.Unsupported("apply_residual_connection_post_layernorm is true: residuals of the normalised stream"))
		}
		return s
	},
	Position: func(r *family.Reader, m *family.Model, heads, headDim int) family.Position {
		slopes, err := posenc.Slopes(heads)
		r.Fail(err)
		return family.Position{Rotary: family.Still(headDim), Bias: &family.Bias{Kind: family.ALiBi, Slopes: slopes}}
	},
}
