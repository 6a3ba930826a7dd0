package families

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
)

// gptOSS: attention sinks, a window in every second layer, mixtures whose experts lie
// in one tensor, (in, out), with rows of gate and up in turns, and clamped gates
// (arXiv 2508.10925).
var gptOSS = family.Spec{
	Name: "gpt_oss", ModelType: "gpt_oss", Architecture: "GptOssForCausalLM",
	About: "attention sinks; clamped gates",
	Names: family.HFNames.With(func(n *family.Names) {
		n.Router = "model.layers.{i}.mlp.router"
		n.ExpertGateUp, n.ExpertDown = "model.layers.{i}.mlp.experts.gate_up_proj", "model.layers.{i}.mlp.experts.down_proj"
		n.ExpertGateUpBias, n.ExpertDownBias = n.ExpertGateUp+"_bias", n.ExpertDown+"_bias"
		n.Sinks = "model.layers.{i}.self_attn.sinks"
	}),
	Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-5, Act: "silu", MaxPositions: 131072, HeadDim: 64,
	QKVBias: family.Rule{Key: "attention_bias", Default: true}, OBias: family.Rule{Key: "attention_bias", Default: true},
	Experts: &family.ExpertsRule{Count: expertCount, TopK: expertsTopK, Inner: wholeInner, Score: "softmax", Normalise: family.Rule{Always: true},
		RouterBias: true, Across: true, Turns: true, Bare: true},
	Window: family.WindowRule{Key: "sliding_window", Default: 128, ByType: true, Full: func(layer int) bool { return layer%2 == 1 }},
	Rope:   family.RopeDefaults{Theta: 150000},
	Reads:  []string{"swiglu_alpha", "swiglu_limit", "experts_per_token", "initial_context_length"},
	Adjust: func(r *family.Reader, m *family.Model) {
		c := family.Clamp{Limit: r.FloatOr(7, "swiglu_limit"), Alpha: r.FloatOr(1.702, "swiglu_alpha"), Offset: 1}
		if !(c.Limit > 0) {
			r.Fail(fmt.Errorf("key %q is %v: expected a positive number", "swiglu_limit", c.Limit))
		}
		if c.Limit != 7 || c.Alpha != 1.702 {
			r.Warn("swiglu_limit is %v and swiglu_alpha %v: transformers 4 passes over both and takes 7 and 1.702; 5.24 reads them, as does pecvt", c.Limit, c.Alpha)
		}
		if k := r.Present([]string{"experts_per_token"}); k != "" && r.Size(k) != r.Size(expertsTopK...) {
			r.Warn("experts_per_token is %d and num_experts_per_tok %d: loaders take the latter, and so does pecvt", r.Size(k), r.Size(expertsTopK...))
		}
		if !r.C.Has("rope_parameters") && !r.C.Has("rope_scaling") {
			r.Fail(family.Unsupported("there is neither rope_parameters nor rope_scaling: loaders of this family turn by yarn of factor 32 then; write rope_parameters"))
		}
		for i := range m.Blocks {
			for e := range m.Blocks[i].Mixture().Each {
				own, inner := c, &m.Blocks[i].Mixture().Each[e]
				inner.Clamp, inner.Act = &own, "silu" // whatever hidden_act says
			}
		}
	},
}
