package families

import (
	"fmt"
	"slices"

	"github.com/pecvt/pecvt/convert/family"
)

// flint: qwen3_moe with attention sinks, sigmoid routing, a shared expert without a
// gate, and layers of full attention that do not turn.
var flint = family.Spec{
	Name: "flint", ModelType: "flint", Architecture: "FlintForCausalLM",
	About: "attention sinks, layers without a window do not turn",
	Names: sharedExpert(normedHeads(mixtureNames), "model.layers.{i}.mlp.shared_expert").With(func(n *family.Names) {
		n.Sinks = "model.layers.{i}.self_attn.softmax_offset"
	}),
	Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-6, Act: "silu", MaxPositions: 262144, HeadDim: 128,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"},
	QKNorm: family.Rule{Always: true},
	Experts: &family.ExpertsRule{Count: []string{"num_experts", "num_local_experts"}, TopK: expertsTopK, Inner: expertInner, Score: "sigmoid",
		Normalise: family.Rule{Key: "norm_topk_prob", Default: true}, SharedInner: "shared_expert_intermediate_size", Step: "decoder_sparse_step", Only: "mlp_only_layers"},
	Window: family.WindowRule{Key: "sliding_window", Default: 513, ByType: true},
	Rope:   family.RopeDefaults{Theta: 10000},
	Variant: func(r *family.Reader, s family.Spec) family.Spec {
		last := r.Size("num_hidden_layers") - 1
		s.Window.Full = func(layer int) bool { return layer < 2 || layer%4 == 1 || layer == last }
		if !r.C.Has("mlp_only_layers") {
			r.Fail(family.Unsupported("mlp_only_layers is missing: loaders of this family take [0, 1]; write it"))
		}
		return s
	},
	Adjust: func(r *family.Reader, m *family.Model) { stillWithoutWindow(r, m) },
}

// stillWithoutWindow: layers without a window do not turn.
func stillWithoutWindow(r *family.Reader, m *family.Model) {
	kinds, err := r.C.Texts("layer_types")
	r.Fail(err)
	if i := slices.Index(kinds, family.SlidingLayers); i >= 0 && m.Blocks[i].Attn().Window == 0 {
		r.Fail(fmt.Errorf("sliding_window is null, yet layer_types[%d] is %q: %w", i, kinds[i], family.Unsupported("name the window")))
	}
	for _, a := range m.Attentions() {
		if a.Window == 0 {
			a.Rotary = family.Still(a.QKDim)
		}
	}
}
