package families

import "github.com/pecvt/pecvt/convert/family"

// modernBERT: layer norms, without biases as a rule, after the embedding too and not
// before the first attention; gate and up fused; a window of half of local_attention on
// two of three layers, which turn by a base of their own; a linear, an activation and a
// norm before the head, which has a bias.
var modernBERT = family.Spec{
	Name: "modernbert-decoder", ModelType: "modernbert-decoder", Architecture: "ModernBertDecoderForCausalLM",
	About: "no norm before the first attention, gated gelu, a rotation for each type of layer",
	Names: family.Names{
		Embed: "model.embeddings.tok_embeddings", EmbedNorm: "model.embeddings.norm", FinalNorm: "model.final_norm",
		HeadDense: "lm_head.dense", HeadDenseNorm: "lm_head.norm", Head: "decoder",
		AttnNorm: "model.layers.{i}.attn_norm", MLPNorm: "model.layers.{i}.mlp_norm",
		Q: "model.layers.{i}.attn.q_proj", K: "model.layers.{i}.attn.k_proj", V: "model.layers.{i}.attn.v_proj", O: "model.layers.{i}.attn.Wo",
		GateUp: "model.layers.{i}.mlp.Wi", Down: "model.layers.{i}.mlp.Wo",
	},
	Keys: func(k family.Keys) family.Keys {
		k.KVHeads = nil
		return k
	}(activationKey),
	Norm: family.LayerNorm, NoNormBias: true, EpsKey: "norm_eps", Eps: 1e-5, Act: "gelu", MaxPositions: 8192, HiddenHeads: true, Tied: true,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"}, MLPBias: family.Rule{Key: "mlp_bias"},
	HeadBias: family.Rule{Key: "decoder_bias", Default: true}, HeadDenseBias: family.Rule{Key: "classifier_bias"}, HeadDenseAct: "classifier_activation",
	Window: family.WindowRule{Key: "local_attention", Default: 128, ByType: true},
	Rope:   family.RopeDefaults{Theta: 160000, ThetaKey: "global_rope_theta", Sliding: &family.RopeDefaults{Theta: 10000, ThetaKey: "local_rope_theta"}},
	Reads: []string{"norm_bias", "global_attn_every_n_layers", "sliding_window",
		// of training, of encoders and of classifiers
		"classifier_dropout", "classifier_pooling", "embedding_dropout", "mlp_dropout", "initializer_cutoff_factor", "cls_token_id", "sep_token_id",
		"deterministic_flash_attn", "reference_compile", "repad_logits_with_grad", "sparse_prediction", "sparse_pred_ignore_index", "position_embedding_type", "causal_mask"},
	Variant: func(r *family.Reader, s family.Spec) family.Spec {
		if r.C.Raw("local_attention") != nil && r.SizeOrZero("local_attention", 0) < 2 {
			r.Fail(family.Unsupported("local_attention is %s: loaders of this family take half of it for a window; write 2 or more", r.C.Raw("local_attention")))
		}
		if r.C.Has("rope_scaling") {
			r.Fail(family.Unsupported("rope_scaling is of both types of layers here; write it into rope_parameters, for each type"))
		}
		if kind := r.TextOr("sans_pos", "position_embedding_type"); kind != "sans_pos" && kind != "absolute" { // published ones, which nothing reads
			r.Fail(family.Unsupported("position_embedding_type %q: expected sans_pos or absolute, the words of published configurations for a rotation", kind))
		}
		s.NoNormBias = !r.Truth(false, "norm_bias")
		every := r.SizeOr(3, "global_attn_every_n_layers")
		s.Window.Full = func(layer int) bool { return layer%every == 0 }
		return s
	},
	Adjust: func(r *family.Reader, m *family.Model) {
		m.Blocks[0].AttnNorm = nil
		for _, a := range m.Attentions() {
			a.Window /= 2
		}
		if given, half := r.SizeOrZero("sliding_window", 0), r.SizeOr(128, "local_attention")/2; r.C.Has("sliding_window") && given != half {
			r.Fail(family.Unsupported("sliding_window is %d and half of local_attention %d: transformers 5.24 takes the former for the window, others the latter; make them agree", given, half))
		}
	},
}
