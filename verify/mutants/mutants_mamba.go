package mutants

import "github.com/pecvt/pecvt/onnxops/onnxpb"

// step finds a node in the body of a Scan.
func (g *Graph) step(scan, name string) *onnxpb.NodeProto {
	for _, n := range attribute(g.node(scan), "body").GetG().GetNode() {
		if n.GetName() == scan[:len(scan)-len("Scan")]+"step/"+name {
			return n
		}
	}
	fail("the body of %q has no node %q", scan, name)
	return nil
}

// mambaMutants get a Mamba 2 layer wrong.
func mambaMutants() []Mutant {
	const at = "/layers.0/mamba/"
	return []Mutant{
		inGraph("mamba-decay-of-logarithm", "bamba", "the decay takes A as it is stored, and not its exponential", func(g *Graph) { g.bypass(at + "a/Exp") }),
		inGraph("mamba-decay-missing", "bamba", "the state before a chunk reaches its tokens undiminished", func(g *Graph) {
			g.step(at+"Scan", "y/Add").Input[1] = g.step(at+"Scan", "before/Mul").Input[0]
		}),
		inGraph("mamba-chunk-undiminished", "bamba", "what a chunk adds to the state does not decay until its end", func(g *Graph) {
			g.step(at+"Scan", "left/Sub").Input[1] = g.step(at+"Scan", "left/Sub").Input[0]
		}),
		inGraph("mamba-later-tokens", "bamba", "tokens of a chunk read those before them and not themselves", func(g *Graph) {
			n := g.step(at+"Scan", "pairs/Trilu")
			n.Input = append(n.Input, g.stepInt(at+"Scan", 1))
		}),
		inGraph("mamba-skip-missing", "bamba", "outputs of the recurrence have no D x", func(g *Graph) { g.bypass(at + "mixed/Add") }),
		inGraph("mamba-b-and-c-swapped", "granite-hybrid", "what is written into the state and what reads it change places", func(g *Graph) {
			b, c := g.step(at+"Scan", "b/Reshape"), g.step(at+"Scan", "c/Reshape")
			b.Input[0], c.Input[0] = c.Input[0], b.Input[0]
		}),
		inGraph("mamba-state-not-carried", "bamba", "the recurrence begins every call at zero", func(g *Graph) {
			g.feed(at+"Scan", 0, "Mul", []string{g.floats(nil, 0)})
		}),
		inGraph("mamba-padding-is-a-step", "bamba", "padding decays the state and adds to it", func(g *Graph) {
			n := g.node(at + "dt/Where")
			n.Input[2] = n.Input[1]
		}),
		inGraph("mamba-step-without-bias", "granite-hybrid", "a step has no bias", func(g *Graph) { g.bypass(at + "dt/Add") }),
		inGraph("mamba-conv-not-activated", "bamba", "the convolution's output has no silu", func(g *Graph) { g.bypass(at + "silu/Mul") }),
		inGraph("mamba-conv-reversed", "bamba", "the first and the last tap of the convolution change places", func(g *Graph) {
			a, b := g.node(at+"taps/0/Mul"), g.node(at+"taps/3/Mul")
			a.Input[1], b.Input[1] = b.Input[1], a.Input[1]
			g.sortNodes()
		}),
		inGraph("mamba-conv-bias-missing", "falcon-h1", "the convolution has no bias", func(g *Graph) { g.bypass(at + "taps/bias/Add") }),
		inGraph("mamba-norm-before-gate", "bamba", "the norm comes before the gate", func(g *Graph) {
			gate, norm, out := g.node(at+"gated/Mul"), g.node(at+"norm/RMSNormalization"), g.node(at+"out_proj/Gemm")
			norm.Input[0], gate.Input[0], out.Input[0] = gate.Input[0], norm.Output[0], gate.Output[0]
			g.sortNodes()
		}),
		inGraph("mamba-norm-of-all-groups", "falcon-h1-norm", "a norm by groups is one of all of them", func(g *Graph) {
			n := g.node(at + "norm/RMSNormalization")
			n.Input[0], n.Input[1] = g.node(at + "norm/groups/Reshape").Input[0], g.node(at + "norm/Mul").Input[1]
			g.bypass(at + "norm/Mul")
		}),
		inGraph("mamba-factors-missing", "falcon-h1", "z, x, B, C and dt have no factors", func(g *Graph) { g.bypass(at + "scaled/Mul") }),
		inGraph("mixer-factor-missing", "falcon-h1", "attention is added to the Mamba 2 layer without its factor", func(g *Graph) { g.bypass("/layers.1/attn_residual/scaled_mixer/Mul") }),
		inGraph("mixer-missing", "falcon-h1", "the Mamba 2 layer beside attention adds nothing", func(g *Graph) { g.bypass("/layers.1/attn_residual/mixers/Add") }),
		inGraph("mlp-gate-factor-missing", "falcon-h1", "what enters the activation has no factor", func(g *Graph) { g.bypass("/layers.0/mlp/act/gate_scaled/Mul") }),
		inGraph("mlp-inner-factor-missing", "falcon-h1", "what enters the down projection has no factor", func(g *Graph) { g.bypass("/layers.1/mlp/act/up_scaled/Mul") }),
	}
}

// stepInt adds an int64 scalar to the body of a Scan and returns its name.
func (g *Graph) stepInt(scan string, v int64) string {
	body, name := attribute(g.node(scan), "body").GetG(), g.fresh("int")
	body.Initializer = append(body.Initializer, &onnxpb.TensorProto{Name: name, DataType: int32(onnxpb.TensorProto_INT64), Int64Data: []int64{v}})
	return name
}
