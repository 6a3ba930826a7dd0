package mutants

import "github.com/pecvt/pecvt/onnxops/onnxpb"

// stateMutants get what goes from one call to the next wrong.
func stateMutants() []Mutant {
	return []Mutant{
		inGraph("forget-state-lost", "grape-fox", "the sum of gates starts at 0 in every call", func(g *Graph) {
			g.forgets("/layers.0/attn/bias/PathBias", 2)
		}),
		inGraph("phase-state-lost", "grape-m-ctx", "the phase starts at 0 in every call", func(g *Graph) {
			g.forgets("/layers.1/attn/phase/ContextPhase", 2)
		}),
		inGraph("phase-inclusive", "grape-m-ctx", "a token's own gate counts into its phase", func(g *Graph) { attribute(g.inner("ContextPhase", "CumSum"), "exclusive").I = 0 }),
		inGraph("phase-counts-padding", "grape-m-ctx", "gates of padding count into the phase", func(g *Graph) {
			n := g.node("/layers.0/attn/phase/ContextPhase")
			n.Input[1] = g.before(n.GetName(), "Sub", []string{n.Input[1], n.Input[1]})
			n.Input[1] = g.before(n.GetName(), "Exp", []string{n.Input[1]})
		}),
		inGraph("phase-gate-bias", "grape-m-ctx", "the phase's gate has no bias", func(g *Graph) {
			n := g.node("/layers.0/attn/phase_gate/Gemm")
			n.Input = n.Input[:2]
		}),
		inGraph("shift-gate-swapped", "grape-ap-kvshift", "1 − a and a change places in the keys' shift", func(g *Graph) {
			a, b := g.node("/layers.0/attn/k_shift/before/Mul"), g.node("/layers.0/attn/k_shift/rest/Mul")
			a.Input[0], b.Input[0] = b.Input[0], a.Input[0]
		}),
		inGraph("shift-state-lost", "grape-ap-kvshift", "the first value of a call has none before it", func(g *Graph) {
			g.forgets("/layers.1/attn/v_shift/past/Unsqueeze", 0)
		}),
		inGraph("shift-of-keys-missing", "grape-ap-kvshift", "keys of layer 0 are not shifted", func(g *Graph) {
			n := g.node("/layers.0/attn/k_norm/RMSNormalization")
			n.Input[0] = "/layers.0/attn/k/Reshape_output_0"
		}),
		inGraph("path-cache-lost", "grape-ap", "path vectors of the past are 0", func(g *Graph) {
			g.forgets("/layers.0/attn/bias/path/Concat", 0)
		}),
	}
}

// forgets multiplies an input that comes from the call before by 0.
func (g *Graph) forgets(name string, input int) {
	n := g.node(name)
	n.Input[input] = g.before(name, "Sub", []string{n.Input[input], n.Input[input]})
}

// oneAttribute is the value of a ConstantOfShape of int64 ones.
func oneAttribute() *onnxpb.AttributeProto {
	one := &onnxpb.TensorProto{DataType: int32(onnxpb.TensorProto_INT64), Dims: []int64{1}, RawData: []byte{1, 0, 0, 0, 0, 0, 0, 0}}
	return &onnxpb.AttributeProto{Name: "value", Type: onnxpb.AttributeProto_TENSOR, T: one}
}
