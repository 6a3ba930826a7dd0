package families

import (
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// roFormer: BERT with a rotation: layer norms of the sums of stream and branch, a
// vector that all tokens share, a linear, an activation and a norm before the head.
// Neighbouring coordinates turn with base 10000, as a table says that is stored.
var roFormer = family.Spec{
	Name: "roformer", ModelType: "roformer", Architecture: "RoFormerForCausalLM",
	About: "norms of the sums of stream and branch, an embedding plus that of the first token type",
	Names: family.Names{
		Embed: "roformer.embeddings.word_embeddings", Head: "cls.predictions.decoder",
		HeadDense: "cls.predictions.transform.dense", HeadDenseNorm: "cls.predictions.transform.LayerNorm",
		// each is the next one's neighbour: roFormerAdjust
		FinalNorm: "roformer.embeddings.LayerNorm", AttnNorm: "roformer.encoder.layer.{i}.output.LayerNorm",
		MLPNorm: "roformer.encoder.layer.{i}.attention.output.LayerNorm",
		Q:       "roformer.encoder.layer.{i}.attention.self.query", K: "roformer.encoder.layer.{i}.attention.self.key", V: "roformer.encoder.layer.{i}.attention.self.value",
		O:  "roformer.encoder.layer.{i}.attention.output.dense",
		Up: "roformer.encoder.layer.{i}.intermediate.dense", Down: "roformer.encoder.layer.{i}.output.dense",
	},
	Keys: func(k family.Keys) family.Keys {
		k.KVHeads, k.HeadDim = nil, nil
		return k
	}(family.HFKeys),
	Norm: family.LayerNorm, EpsKey: "layer_norm_eps", Eps: 1e-12, Act: "gelu", MaxPositions: 1536, HiddenHeads: true, Tied: true, Interleaved: true,
	QKVBias: family.Rule{Always: true}, OBias: family.Rule{Always: true}, MLPBias: family.Rule{Always: true},
	HeadBias: family.Rule{Always: true}, HeadDenseBias: family.Rule{Always: true},
	Reads:    []string{"is_decoder", "rotary_value", "add_cross_attention", "embedding_size", "type_vocab_size"},
	Variant:  roFormerVariant,
	Position: roFormerPosition,
	Adjust:   roFormerAdjust,
}

// roFormerVariant refuses the forms that are no decoder, or another one.
func roFormerVariant(r *family.Reader, s family.Spec) family.Spec {
	hidden := r.Size("hidden_size")
	switch {
	case !r.Truth(false, "is_decoder"):
		r.Fail(family.Unsupported("is_decoder is not true: tokens see those that follow them; write true if the model is to be read as a decoder"))
	case r.Truth(false, "rotary_value"):
		r.Fail(family.Unsupported("rotary_value is true: values that turn"))
	case r.Truth(false, "add_cross_attention"):
		r.Fail(family.Unsupported("add_cross_attention is true: layers of cross attention"))
	case r.C.Has("embedding_size") && r.Size("embedding_size") != hidden:
		r.Fail(family.Unsupported("embedding_size is %d and hidden_size %d: a projection of the embedding", r.Size("embedding_size"), hidden))
	case !r.Truth(true, "tie_word_embeddings"):
		r.Fail(family.Unsupported("tie_word_embeddings is false: a head with another bias than the one beside it"))
	}
	return s
}

func roFormerPosition(r *family.Reader, m *family.Model, heads, headDim int) family.Position {
	if headDim%2 != 0 {
		r.Fail(family.Unsupported("heads of %d coordinates, of which one has no other to turn with", headDim))
		return family.Position{}
	}
	s := posenc.Spectrum{InvFreq: posenc.InvFreq(10000, headDim), Gain: 1}
	m.TurnsByTable(family.Sinusoids{Tensor: "roformer.encoder.embed_positions.weight", InvFreq: s.InvFreq})
	return family.Position{Rotary: posenc.Rotary{HeadDim: headDim, Dim: headDim, Spectrum: s, Pairing: posenc.Interleaved}}
}

// roFormerAdjust makes a norm of a sum the one before the branch that follows, where it
// replaces the stream: the embedding's is the first layer's first, and the last layer's
// the final one. Hidden states have passed them.
func roFormerAdjust(r *family.Reader, m *family.Model) {
	before := m.FinalNorm
	for i := range m.Blocks {
		b := &m.Blocks[i]
		*b.AttnNorm, before = before, *b.AttnNorm
		b.Residual = &family.Residual{}
	}
	m.FinalNorm, m.NormedHidden = before, true
	types := int64(r.SizeOr(2, "type_vocab_size"))
	m.EmbedShift = &family.Weight{Tensor: "roformer.embeddings.token_type_embeddings.weight", Shape: []int64{1, int64(m.Hidden)},
		Rows: []family.Range{{Begin: 0, End: 1}}, Stored: []int64{types, int64(m.Hidden)}}
	m.Head.Bias.Tensor = "cls.predictions.bias"
}
