package families

import "github.com/pecvt/pecvt/convert/family"

// gatedNames are the names of norms around both branches, of norms of queries and
// keys, and of a matrix for the gate of attention's output.
func gatedNames(n family.Names, mlp, gate string) family.Names {
	return normedHeads(n).With(func(n *family.Names) {
		n.AttnOutNorm = "model.layers.{i}.post_attention_layernorm"
		n.MLPNorm, n.MLPOutNorm = "model.layers.{i}.pre_"+mlp+"_layernorm", "model.layers.{i}.post_"+mlp+"_layernorm"
		n.OutGate = "model.layers.{i}.self_attn." + gate
	})
}

// afmoe: a sigmoid gate on attention's output, norms around both branches, a mixture
// as of DeepSeek V3, and a window on three of four layers; the others see everything
// and do not turn.
var afmoe = family.Spec{
	Name: "afmoe", ModelType: "afmoe", Architecture: "AfmoeForCausalLM",
	About: "layers without a window do not turn",
	Names: gatedNames(sharedExpert(mixtureNames, "model.layers.{i}.mlp.shared_experts"), "mlp", "gate_proj").With(func(n *family.Names) {
		n.Router, n.Correction = "model.layers.{i}.mlp.router.gate", "model.layers.{i}.mlp.expert_bias"
	}),
	Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-5, Act: "silu", MaxPositions: 16384, HeadDim: 128,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"},
	QKNorm:  family.Rule{Always: true},
	OutGate: &family.GateRule{If: family.Rule{Always: true}, Act: "sigmoid"},
	Experts: &family.ExpertsRule{Count: expertCount, TopK: expertsTopK, Inner: expertInner, Score: "sigmoid", Normalise: family.Rule{Always: true},
		Eps: 1e-20, Scale: "route_scale", Shared: "num_shared_experts", First: "num_dense_layers", FirstDefault: 1},
	Window: family.WindowRule{Key: "sliding_window", Default: 1024, ByType: true, Full: every(4)},
	Rope:   family.RopeDefaults{Theta: 10000},
	Reads: []string{"global_attn_every_n_layers", "mup_enabled",
		"score_func", "route_norm", "n_group", "topk_group", "num_expert_groups", "num_limited_groups", // compared
		"load_balance_coeff", "use_grouped_mm"}, // of training, and how the same is computed
	Variant: func(r *family.Reader, s family.Spec) family.Spec {
		s.Window.Full = every(r.SizeOr(4, "global_attn_every_n_layers"))
		if score := r.TextOr("sigmoid", "score_func"); score != "sigmoid" {
			r.Fail(family.Unsupported("score_func %q: stock loaders compute sigmoid", score))
		}
		must(r, "route_norm")
		for _, key := range []string{"n_group", "topk_group", "num_expert_groups", "num_limited_groups"} {
			if n := r.SizeOr(1, key); r.Err == nil && n != 1 {
				r.Fail(family.Unsupported("%s is %d: stock loaders choose of all experts together", key, n))
			}
		}
		return s
	},
	Adjust: func(r *family.Reader, m *family.Model) {
		stillFull(r, m, every(r.SizeOr(4, "global_attn_every_n_layers")))
		if r.BoolOr(false, "mup_enabled") {
			rootScale(m)
		}
	},
}
