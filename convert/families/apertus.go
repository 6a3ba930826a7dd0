package families

import "github.com/pecvt/pecvt/convert/family"

// apertus: llama with the activation xIELU, whose numbers are in the weights, no
// gate, and RMS norms of queries and keys.
var apertus = family.Spec{
	Name: "apertus", ModelType: "apertus", Architecture: "ApertusForCausalLM",
	About: "xIELU",
	Names: ungated.With(func(n *family.Names) {
		n.AttnNorm, n.MLPNorm = "model.layers.{i}.attention_layernorm", "model.layers.{i}.feedforward_layernorm"
		n.QNorm, n.KNorm = "model.layers.{i}.self_attn.q_norm", "model.layers.{i}.self_attn.k_norm"
		n.XIELU = "model.layers.{i}.mlp.act_fn"
	}),
	Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-5, Act: "xielu", MaxPositions: 65536,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"}, QKNorm: family.Rule{Always: true},
	Rope:  family.RopeDefaults{Theta: 12e6},
	Reads: []string{"mlp_bias", "post_norm", "qk_norm"},
	Variant: func(r *family.Reader, s family.Spec) family.Spec {
		refuse(r, "mlp_bias", "stock loaders hold no bias there")
		refuse(r, "post_norm", "stock loaders normalise what the branches read")
		if !r.Truth(true, "qk_norm") {
			r.Fail(family.Unsupported("qk_norm is false: stock loaders normalise queries and keys all the same"))
		}
		if !r.C.Has("rope_parameters") && !r.C.Has("rope_scaling") {
			r.Fail(family.Unsupported("neither rope_parameters nor rope_scaling is there, for which loaders take a scaling of their own (llama3, factor 8 over 8192) or none; write it out"))
		}
		return s
	},
}

// apertus15: apertus with a vocabulary of images and audio too, of which the head
// may have the text part alone.
var apertus15 = func(s family.Spec) family.Spec {
	s.Name, s.ModelType, s.Architecture = "apertus1p5_text", "apertus1p5_text", "Apertus1p5TextForCausalLM"
	s.Reads = append([]string{"output_vocab_size"}, s.Reads...)
	s.Adjust = func(r *family.Reader, m *family.Model) {
		if n := r.SizeOr(m.Vocab, "output_vocab_size"); n != m.Vocab {
			r.Fail(family.Unsupported("output_vocab_size is %d and vocab_size %d: a head with fewer rows than the embedding", n, m.Vocab))
		}
	}
	return s
}(apertus)
