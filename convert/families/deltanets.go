package families

import (
	"slices"

	"github.com/pecvt/pecvt/convert/family"
)

// deltaNames adds the names of gated delta nets, but for their projections.
func deltaNames(n family.Names, norm string) family.Names {
	return normedHeads(n).With(func(n *family.Names) {
		n.DeltaNumbers = "model.layers.{i}.linear_attn"
		n.DeltaConv = "model.layers.{i}.linear_attn.conv1d"
		n.DeltaNorm, n.DeltaOut = "model.layers.{i}.linear_attn."+norm, "model.layers.{i}.linear_attn.out_proj"
	})
}

// qwen35Delta adds the projections as Qwen3.5 stores them.
func qwen35Delta(n family.Names) family.Names {
	return deltaNames(n, "norm").With(func(n *family.Names) {
		n.DeltaIn, n.DeltaZ = "model.layers.{i}.linear_attn.in_proj_qkv", "model.layers.{i}.linear_attn.in_proj_z"
		n.DeltaB, n.DeltaA = "model.layers.{i}.linear_attn.in_proj_b", "model.layers.{i}.linear_attn.in_proj_a"
	})
}

// qwen35: gated delta nets in the place of attention on three of four layers, a gate
// on the output of the others in the queries' matrix, norms whose weight is stored
// less 1, and a quarter of each head turned.
var qwen35 = family.Spec{
	Name: "qwen3_5_text", ModelType: "qwen3_5_text", Architecture: "Qwen3_5ForCausalLM",
	About: "the sections of positions of several axes change nothing of text",
	Names: qwen35Delta(family.HFNames), Norm: family.RMS, NormOffset: 1,
	EpsKey: "rms_norm_eps", Eps: 1e-6, Act: "silu", MaxPositions: 32768, HeadDim: 256,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"},
	QKNorm: family.Rule{Always: true}, OutGate: &family.GateRule{If: family.Rule{Always: true}, Act: "sigmoid", InQ: true},
	Delta: family.DeltaRule{Heads: 32, KHeads: 16, KDim: 128, VDim: 128, Taps: 4, Layers: linearLayers(everyInterval, family.FullLayers)},
	Rope:  family.RopeDefaults{Theta: 10000, Partial: .25}, ReadsPartial: true,
	Reads: []string{"layer_types", "full_attention_interval",
		"attn_output_gate", "output_gate_type", "mamba_ssm_dtype", // compared
		"mlp_only_layers", "mtp_num_hidden_layers", "mtp_use_dedicated_embeddings"}, // not of the model
	Adjust: func(r *family.Reader, m *family.Model) {
		must(r, "attn_output_gate")
		if kind := r.TextOr("swish", "output_gate_type"); kind != "swish" && kind != "silu" {
			r.Fail(family.Unsupported("output_gate_type %q: stock loaders compute swish", kind))
		}
	},
}

// qwen35MoE: qwen3_5_text with mixtures of experts and a shared expert with a gate.
var qwen35MoE = func(s family.Spec) family.Spec {
	s.Name, s.ModelType, s.Architecture = "qwen3_5_moe_text", "qwen3_5_moe_text", "Qwen3_5MoeForCausalLM"
	s.Names = qwen35Delta(gatedShared)
	s.Experts = &family.ExpertsRule{Count: []string{"num_experts", "num_local_experts"}, TopK: expertsTopK, Inner: expertInner, Score: "softmax",
		Normalise: family.Rule{Always: true}, SharedInner: "shared_expert_intermediate_size"}
	s.Inner = func(int) int { return 1 } // no layer has an MLP
	s.Reads = append(slices.Clone(s.Reads), "norm_topk_prob")
	s.Adjust = func(r *family.Reader, m *family.Model) {
		qwen35.Adjust(r, m)
		must(r, "norm_topk_prob")
	}
	return s
}(qwen35)

// qwen3Next: as qwen3_5_moe_text, the projections of gated delta nets fused by key
// head.
var qwen3Next = func(s family.Spec) family.Spec {
	s.Name, s.ModelType, s.Architecture, s.About = "qwen3_next", "qwen3_next", "Qwen3NextForCausalLM", ""
	s.Names = deltaNames(gatedShared, "norm").With(func(n *family.Names) {
		n.DeltaQKVZ, n.DeltaBA = "model.layers.{i}.linear_attn.in_proj_qkvz", "model.layers.{i}.linear_attn.in_proj_ba"
	})
	s.Experts = &family.ExpertsRule{Count: []string{"num_experts", "num_local_experts"}, TopK: expertsTopK, Inner: expertInner, Score: "softmax",
		Normalise: family.Rule{Key: "norm_topk_prob", Default: true}, SharedInner: "shared_expert_intermediate_size", Step: "decoder_sparse_step", Only: "mlp_only_layers"}
	s.Inner = func(int) int { return 5632 }
	s.Reads = []string{"layer_types", "full_attention_interval"}
	s.Adjust = nil
	return s
}(qwen35)

// gatedShared are the names of mixtures with a gated shared expert.
var gatedShared = sharedExpert(mixtureNames, "model.layers.{i}.mlp.shared_expert").With(func(n *family.Names) {
	n.SharedGate = "model.layers.{i}.mlp.shared_expert_gate"
})

// everyInterval is full attention on every so many layers, four where
// full_attention_interval says nothing.
func everyInterval(r *family.Reader, layers int) []string {
	n := r.SizeOr(4, "full_attention_interval")
	kinds := make([]string, layers)
	for i := range kinds {
		if kinds[i] = "linear_attention"; r.Err == nil && (i+1)%n == 0 {
			kinds[i] = family.FullLayers
		}
	}
	return kinds
}

// linearLayers reads which layers layer_types calls linear_attention; the others are
// of the types listed, and otherwise gives all where the key is absent.
func linearLayers(otherwise func(r *family.Reader, layers int) []string, others ...string) func(r *family.Reader, layers int) []bool {
	return func(r *family.Reader, layers int) []bool {
		kinds := r.LayerTypes(layers)
		if kinds == nil {
			kinds = otherwise(r, layers)
		}
		out := make([]bool, layers)
		for i := range min(layers, len(kinds)) {
			if out[i] = kinds[i] == "linear_attention"; !out[i] && !slices.Contains(others, kinds[i]) {
				r.Fail(family.Unsupported("layer_types[%d] is %q: expected linear_attention or %v", i, kinds[i], others))
			}
		}
		return out
	}
}
