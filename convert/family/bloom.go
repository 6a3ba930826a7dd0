package family

import "github.com/pecvt/pecvt/posenc"

// bloom: ALiBi, a norm after the embedding, layer norms with biases, q, k and
// v fused head by head, an MLP of four times the hidden size with gelu's tanh
// form.
var bloom = Spec{
	Name: "bloom", ModelType: "bloom", Architecture: "BloomForCausalLM",
	About: "ALiBi",
	Names: bloomNames.with(func(n *Names) { n.EmbedNorm = "transformer.word_embeddings_layernorm" }),
	Keys: Keys{
		Vocab: []string{"vocab_size"}, Hidden: []string{"n_embed", "hidden_size"}, Layers: []string{"num_hidden_layers", "n_layer"},
		Heads: []string{"num_attention_heads", "n_head"}, MaxPositions: []string{"seq_length"},
	},
	Norm: LayerNorm, EpsKey: "layer_norm_epsilon", Eps: 1e-5, Act: "gelu_tanh",
	Inner: func(hidden int) int { return 4 * hidden }, MaxPositions: 2048,
	QKVBias: Rule{Always: true}, OBias: Rule{Always: true}, MLPBias: Rule{Always: true},
	GroupedQKV: true, Tied: true, HiddenHeads: true,
	Reads: []string{"apply_residual_connection_post_layernorm"},
	Variant: func(r *reader, s Spec) Spec {
		if r.BoolOr(false, "apply_residual_connection_post_layernorm") {
			r.Fail(unsupported("apply_residual_connection_post_layernorm is true: residuals of the normalised stream"))
		}
		return s
	},
	Position: func(r *reader, m *Model, heads, headDim int) position {
		slopes, err := posenc.Slopes(heads)
		r.Fail(err)
		return position{rotary: still(headDim), bias: &Bias{Kind: ALiBi, Slopes: slopes}}
	},
}

// still is a layer without rotation.
func still(headDim int) posenc.Rotary {
	return posenc.Rotary{HeadDim: headDim, Spectrum: posenc.Spectrum{InvFreq: []float64{}, Gain: 1}}
}
