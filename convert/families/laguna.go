package families

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
)

// laguna: a softplus gate on attention's output, heads by layer, a rotation for each type
// of layer, which in those of full attention is of half a head, and mixtures as of
// DeepSeek V3 without groups.
var laguna = family.Spec{
	Name: "laguna", ModelType: "laguna", Architecture: "LagunaForCausalLM",
	About: "a rotation and numbers of heads for each type of layer",
	Names: normedHeads(sharedExpert(mixtureNames, "model.layers.{i}.mlp.shared_expert")).With(func(n *family.Names) {
		n.OutGate = "model.layers.{i}.self_attn.g_proj"
		n.Correction = "model.layers.{i}.mlp.experts.e_score_correction_bias"
	}),
	Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-6, Act: "silu", MaxPositions: 131072, HeadDim: 128,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"},
	QKNorm:  family.Rule{Always: true},
	OutGate: &family.GateRule{If: family.Rule{Always: true}, Act: "softplus", PerHead: true},
	HeadsOf: lagunaHeads,
	Experts: &family.ExpertsRule{Count: expertCount, TopK: expertsTopK, Inner: expertInner, Score: "sigmoid", Normalise: family.Rule{Always: true},
		Scale: "moe_routed_scaling_factor", SharedInner: "shared_expert_intermediate_size", Types: "mlp_layer_types"},
	Window: family.WindowRule{Key: "sliding_window", Default: 512, ByType: true, Full: func(int) bool { return true }},
	Rope: family.RopeDefaults{Theta: 500000, Absent: `{"rope_type":"default","partial_rotary_factor":0.5}`,
		Sliding: &family.RopeDefaults{Theta: 10000}},
	ReadsPartial: true,
	Reads:        []string{"gating", "num_attention_heads_per_layer", "moe_apply_router_weight_on_input", "moe_router_logit_softcapping"},
	Variant: func(r *family.Reader, s family.Spec) family.Spec {
		refuse(r, "moe_apply_router_weight_on_input", "experts whose input has their weight, which stock loaders refuse")
		if c := r.FloatOr(0, "moe_router_logit_softcapping"); c != 0 {
			r.Fail(family.Unsupported("moe_router_logit_softcapping is %v: a cap on the router's logits", c))
		}
		s.Experts = firstDense(r, s.Experts, 1)
		switch raw := string(r.C.Raw("gating")); raw {
		case "", "true", `"per-head"`:
		case `"per-element"`:
			gate := *s.OutGate
			gate.PerHead = false
			s.OutGate = &gate
		default:
			r.Fail(family.Unsupported("gating is %s: expected true, \"per-head\" or \"per-element\"", r.C.Spelled("gating")))
		}
		return s
	},
}

// lagunaHeads are the query heads that num_attention_heads_per_layer lists.
func lagunaHeads(r *family.Reader, layer int, _ bool, h family.HeadSizes) family.HeadSizes {
	key := "num_attention_heads_per_layer"
	list, err := r.C.Floats(key)
	r.Fail(err)
	switch {
	case err != nil || list == nil:
	case layer >= len(list):
		r.Fail(fmt.Errorf("%s lists %d layers: expected one for each", key, len(list)))
	case list[layer] != float64(int(list[layer])) || list[layer] < 1 || list[layer] > 1<<12:
		r.Fail(fmt.Errorf("%s[%d] is %v: expected a number of heads", key, layer, list[layer]))
	default:
		h.Heads = int(list[layer])
	}
	return h
}
