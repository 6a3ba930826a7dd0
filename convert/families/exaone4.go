package families

import "github.com/pecvt/pecvt/convert/family"

// exaone4: llama with norms on the branches' outputs instead of their inputs, RMS
// norms of each query and key head, and a window on three of four layers; the
// others do not turn where there is a window at all.
var exaone4 = family.Spec{
	Name: "exaone4", ModelType: "exaone4", Architecture: "Exaone4ForCausalLM",
	About: "layers without a window do not turn",
	Names: family.HFNames.With(func(n *family.Names) {
		n.AttnNorm, n.AttnOutNorm = "", "model.layers.{i}.post_attention_layernorm"
		n.MLPNorm, n.MLPOutNorm = "", "model.layers.{i}.post_feedforward_layernorm"
		n.QNorm, n.KNorm = "model.layers.{i}.self_attn.q_norm", "model.layers.{i}.self_attn.k_norm"
	}),
	Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-5, Act: "silu", MaxPositions: 2048,
	QKNorm: family.Rule{Always: true},
	Window: family.WindowRule{Key: "sliding_window", Default: 4096, ByType: true, Full: every(4)},
	Rope:   family.RopeDefaults{Theta: 10000},
	Reads:  []string{"sliding_window_pattern"},
	Variant: func(r *family.Reader, s family.Spec) family.Spec {
		s.Window.Full = exaonePattern(r)
		return s
	},
	Adjust: func(r *family.Reader, m *family.Model) {
		if r.C.Raw("sliding_window") != nil && !r.C.Has("sliding_window") {
			return // without a window every layer turns
		}
		for _, a := range m.Attentions() {
			if a.Window == 0 {
				a.Rotary = family.Still(a.QKDim)
			}
		}
	},
}

// exaonePattern is every n-th layer; "LLLG", three local layers and a global one,
// is how the first releases say 4.
func exaonePattern(r *family.Reader) func(layer int) bool {
	if text, ok, err := r.C.Text("sliding_window_pattern"); ok && err == nil {
		if text == "" || text[len(text)-1] != 'G' {
			r.Fail(family.Unsupported("sliding_window_pattern %q; local layers and a global one after them, such as LLLG, are read", text))
			return nil
		}
		return every(len(text))
	}
	return every(max(r.SizeOr(4, "sliding_window_pattern"), 1))
}
