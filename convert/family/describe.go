package family

import "strings"

// Describe says in words what sets the family apart from llama.
func (s Spec) Describe() string {
	var parts []string
	add := func(cond bool, text string) {
		if cond {
			parts = append(parts, text)
		}
	}
	add(s.Norm == LayerNorm, "LayerNorm")
	add(s.QKVBias.Always, "biases on q, k, v")
	add(s.QKNorm, "RMS norm on q and k before the rotation")
	add(s.Window.Key != "", "sliding window")
	add(s.Names.QKV != "", "fused q, k, v")
	add(s.Names.GateUp != "", "fused gate and up")
	add(s.HeadDim != 0, "head size of its own")
	if parts == nil {
		return "RMS norm, gated SiLU, grouped queries, full rotary"
	}
	return strings.Join(parts, ", ")
}
