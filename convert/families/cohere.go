package families

import "github.com/pecvt/pecvt/convert/family"

// cohere: layer norms without biases, one of them for attention and MLP side by
// side, planes of neighbouring coordinates, logits times a factor.
var cohere = family.Spec{
	Name: "cohere", ModelType: "cohere", Architecture: "CohereForCausalLM",
	About: "a factor of the logits",
	Names: family.HFNames.With(func(n *family.Names) {
		n.MLPNorm = ""
		n.QNorm, n.KNorm = "model.layers.{i}.self_attn.q_norm", "model.layers.{i}.self_attn.k_norm"
	}),
	Norm: family.LayerNorm, NoNormBias: true, EpsKey: "layer_norm_eps", Eps: 1e-5, Act: "silu", MaxPositions: 8192, Tied: true,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"},
	Parallel: family.Rule{Always: true}, SharedNorm: true, Interleaved: true,
	Rope:   family.RopeDefaults{Theta: 500000},
	QKNorm: family.Rule{Key: "use_qk_norm"}, QKNormKind: family.LayerNorm, QKPerHead: family.RowPerHead,
	Reads: []string{"logit_scale"},
	Adjust: func(r *family.Reader, m *family.Model) {
		m.LogitScale = oneAsNone(factor(r, "logit_scale", 0.0625))
	},
}

// cohere2: cohere with a window on three of four layers; the others see everything
// and do not turn.
var cohere2 = func(s family.Spec) family.Spec {
	s.Name, s.ModelType, s.Architecture = "cohere2", "cohere2", "Cohere2ForCausalLM"
	s.About = "a factor of the logits, layers without a window do not turn"
	s.Rope.Theta = 10000
	s.QKNorm, s.Names.QNorm, s.Names.KNorm = family.Rule{}, "", ""
	s.Reads = []string{"logit_scale", "sliding_window_pattern", "position_embedding_type", "layer_switch", "order_of_interleaved_layers",
		"use_gated_activation", "use_parallel_block", "use_parallel_embedding", "use_embedding_sharing"}
	s.Variant = func(r *family.Reader, s family.Spec) family.Spec {
		must(r, "use_gated_activation", "use_parallel_block")
		cohereTurns(r)
		if order := r.TextOr("local_attn_first", "order_of_interleaved_layers"); order != "local_attn_first" {
			r.Fail(family.Unsupported("order_of_interleaved_layers %q: expected local_attn_first", order))
		}
		if r.C.Has("layer_switch") && !r.C.Has("layer_types") && r.SizeOr(4, "layer_switch") != r.SizeOr(4, "sliding_window_pattern") {
			r.Fail(family.Unsupported("layer_switch %d beside a sliding_window_pattern of %d; write layer_types", r.SizeOr(4, "layer_switch"), r.SizeOr(4, "sliding_window_pattern")))
		}
		s.Window.Full = every(r.SizeOr(4, "sliding_window_pattern"))
		return s
	}
	s.Window = family.WindowRule{Key: "sliding_window", Default: 4096, ByType: true, Full: every(4)}
	factors := s.Adjust
	s.Adjust = func(r *family.Reader, m *family.Model) {
		factors(r, m)
		stillFull(r, m, every(r.SizeOr(4, "sliding_window_pattern")))
	}
	return s
}(cohere)

// cohereTurns reads what published configurations call planes of neighbours.
func cohereTurns(r *family.Reader) {
	if kind := r.TextOr("rope_gptj", "position_embedding_type"); kind != "rope_gptj" {
		r.Fail(family.Unsupported("position_embedding_type %q: expected rope_gptj", kind))
	}
}

// stillFull leaves layers of full attention without rotation: those that layer_types
// calls so, or where it is absent those that full says.
func stillFull(r *family.Reader, m *family.Model, full func(layer int) bool) {
	kinds, err := r.C.Texts("layer_types")
	r.Fail(err)
	for i, a := range m.Attentions() {
		if kinds != nil && kinds[i] == family.SlidingLayers && a.Window == 0 {
			r.Fail(family.Unsupported("sliding_window is null, yet layer_types[%d] is %q, at which stock loaders stop; name the window", i, kinds[i]))
		}
		if kinds == nil && full(i) || kinds != nil && kinds[i] == family.FullLayers {
			a.Rotary = family.Still(a.QKDim)
		}
	}
}

// every is true of each n-th layer, the n-th first.
func every(n int) func(layer int) bool { return func(layer int) bool { return (layer+1)%n == 0 } }
