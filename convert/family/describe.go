package family

import (
	"slices"
	"strings"
)

// Describe says in words what sets the family apart from llama.
func (s Spec) Describe() string {
	var parts []string
	add := func(cond bool, text string) {
		if cond {
			parts = append(parts, text)
		}
	}
	add(s.About != "", s.About)
	add(s.Norm == LayerNorm && !s.NoNormBias, "LayerNorm")
	add(s.Norm == LayerNorm && s.NoNormBias && !s.BareNorms, "LayerNorm without biases")
	add(s.BareNorms, "norms without weights")
	add(s.NormOffset != 0, "norm weights stored less one")
	for _, f := range s.named() {
		add(true, s.say(f))
	}
	add(s.QKVBias.Always, "biases on q, k, v")
	add(s.QKNorm.Always && !s.NormOverHeads && !s.NormAfter, "RMS norm on q and k before the rotation")
	add(s.QKNorm.Always && s.NormAfter, "RMS norm on q and k after the rotation")
	add(s.QKNorm.Always && s.NormOverHeads, "RMS norm on q and k over all heads before the rotation")
	add(s.Window.Key != "", "sliding window")
	add(s.Names.QKV != "" && !s.GroupedQKV, "fused q, k, v")
	add(s.Names.QKV != "" && s.GroupedQKV, "q, k, v fused head by head")
	add(s.Names.GateUp != "", "fused gate and up")
	add(s.Names.Gate == "" && s.Names.GateUp == "", "no gate in the MLP")
	add(s.Parallel != Rule{}, "attention and MLP may stand side by side")
	add(s.OutGate != nil && s.OutGate.InQ, "a gate on attention's output in the queries' matrix")
	add(s.Interleaved, "planes of neighbouring coordinates")
	add(s.Backwards, "planes that turn the other way")
	add(s.HeadBias != Rule{}, "bias of the head")
	add(s.Rope.Partial != 0, "partial rotary")
	add(s.HeadDim != 0, "head size of its own")
	if parts == nil {
		return "RMS norm, gated SiLU, grouped queries, full rotary"
	}
	return strings.Join(parts, ", ")
}

// named lists what the parts that the family has names for add to llama's shape,
// each once, in the order of a forward pass.
func (s Spec) named() []Feature {
	var list []Feature
	for _, at := range slots {
		if at.names != nil && *at.names(&s.Names) != "" && at.feature != "" && !slices.Contains(list, at.feature) {
			list = append(list, at.feature)
		}
	}
	return list
}

// say has shorter words for a feature where a family's row is read, else its own.
func (s Spec) say(f Feature) string {
	switch f {
	case EmbeddingNorm:
		return "norm after the embedding"
	case BranchOutputNorms:
		if s.Names.AttnNorm == "" || s.Names.MLPNorm == "" && !s.SharedNorm {
			return "norms on the branches' outputs alone"
		}
		return "norms on the branches' outputs too"
	}
	return string(f)
}

// PartialText says what --layout partial does for the family.
func (s Spec) PartialText() string {
	switch {
	case s.PartialLayout != "":
		return "as " + s.PartialLayout
	case s.ReadsPartial || s.Backwards || s.Keys.Hidden != nil && s.Rope.Theta == 0:
		return "refused"
	}
	return "own names, partial rotary in config.json"
}
