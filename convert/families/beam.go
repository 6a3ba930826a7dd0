package families

import (
	"math"

	"github.com/pecvt/pecvt/convert/family"
)

// beam: a sigmoid gate with a bias of each head on attention's output, norms around both
// branches, mixtures as of DeepSeek V3 without a shared expert, a rotation for each type
// of layer, or none in those of full attention, whose queries a power of their position
// multiplies, and a stream that grows evenly with depth.
var beam = family.Spec{
	Name: "beam", ModelType: "beam", Architecture: "BeamForCausalLM",
	About: "a rotation for each type of layer, branches that weigh the same at every depth",
	Names: gatedNames(mixtureNames, "feedforward", "gate_proj").With(func(n *family.Names) {
		n.OutGateBias = "model.layers.{i}.self_attn.gate_bias"
		n.Correction = "model.layers.{i}.mlp.gate.e_score_correction_bias"
	}),
	Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-6, Act: "silu", MaxPositions: 8192, HeadDim: 128,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"},
	QKNorm:  family.Rule{Always: true},
	OutGate: &family.GateRule{If: family.Rule{Always: true}, Act: "sigmoid", HeadBias: true},
	Experts: &family.ExpertsRule{Count: expertCount, TopK: expertsTopK, Inner: expertInner, Score: "sigmoid",
		Normalise: family.Rule{Key: "norm_topk_prob", Default: true}, Eps: 1e-20, Scale: "routed_scaling_factor", Groups: "n_group", KeptGroups: "topk_group",
		Types: "mlp_layer_types"},
	Window: family.WindowRule{Key: "sliding_window", Default: 512, ByType: true},
	Rope:   family.RopeDefaults{Theta: 10000, Sliding: &family.RopeDefaults{Theta: 10000}},
	Reads:  []string{"final_logit_softcapping"},
	Variant: func(r *family.Reader, s family.Spec) family.Spec {
		demand(r, "n_group", "topk_group", "routed_scaling_factor")
		numbers(r, "n_group", "topk_group", "routed_scaling_factor")
		if dict, err := r.C.Object.Object("rope_parameters"); err == nil && dict != nil && !dict.Has(family.SlidingLayers) {
			r.Fail(family.Unsupported("rope_parameters has nothing for %s", family.SlidingLayers))
		}
		layers := r.Size("num_hidden_layers")
		s.Window.Full = func(layer int) bool { return (layer+1)%6 == 0 || layer == layers-1 }
		s.Experts = firstDense(r, s.Experts, 3)
		return s
	},
	Adjust: beamAdjust,
}

// beamAdjust makes the stream a plain sum. Stock's stream h after k branches is
//
//	h_k = (y_k + √(k−1) h_{k−1}) / √k,  k = 2, 3, …
//
// y_k what the branch adds and h_1 the embedding, so that √k h_k is a sum of them; and
// the RMS norm of h_k with ε is that of √k h_k with k ε. Hidden states are h_k.
func beamAdjust(r *family.Reader, m *family.Model) {
	if raw := r.C.Raw("final_logit_softcapping"); raw == nil || r.C.Has("final_logit_softcapping") { // null is none
		m.LogitCap = factor(r, "final_logit_softcapping", 30)
	}
	dict, err := r.C.Object.Object("rope_parameters")
	r.Fail(err)
	for i := range m.Blocks {
		b := &m.Blocks[i]
		if a := b.Attn(); a.Window == 0 && (dict == nil || !dict.Has(family.FullLayers)) {
			a.Rotary, a.QueryScale = family.Still(a.QKDim), &family.QueryScale{Length: 2048, Ahead: 1, Power: 0.1}
		}
		b.AttnNorm.Eps *= float64(2*i + 1)
		b.MLPNorm.Eps *= float64(2*i + 2)
		b.HiddenScale = 1 / math.Sqrt(float64(2*i+3))
	}
	m.FinalNorm.Eps *= float64(2*len(m.Blocks) + 1)
}

// firstDense is the rule where, without a list of the layers' types, the first n have an
// MLP.
func firstDense(r *family.Reader, x *family.ExpertsRule, n int) *family.ExpertsRule {
	if r.C.Has(x.Types) {
		return x
	}
	rule := *x
	rule.Dense = func(_ *family.Reader, layers int) []bool {
		out := make([]bool, layers)
		for i := range min(n, layers) {
			out[i] = true
		}
		return out
	}
	return &rule
}
