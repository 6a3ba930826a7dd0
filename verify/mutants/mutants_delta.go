package mutants

import "github.com/pecvt/pecvt/onnxops/onnxpb"

// deltaMutants get a gated delta net wrong.
func deltaMutants() []Mutant {
	const loop = "/layers.0/delta/context/Scan"
	return []Mutant{
		inGraph("delta-without-decay", "qwen3-next", "the states of a gated delta net do not decay", func(g *Graph) {
			g.feed("/layers.0/delta/alpha/Exp", 0, "Mul", []string{g.floats(nil, 0)})
		}),
		inGraph("delta-decay-unshifted", "qwen3-next", "decays are made without dt_bias", func(g *Graph) {
			g.bypass("/layers.0/delta/dt/Add")
		}),
		inGraph("delta-rate-unbounded", "qwen3-next", "rates are the projection's numbers instead of their sigmoid", func(g *Graph) {
			g.bypass("/layers.0/delta/beta/Sigmoid")
		}),
		inGraph("delta-state-transposed", "qwen3-next", "the state that a call takes over has keys and values the other way round", func(g *Graph) {
			g.feed(loop, 0, "Transpose", nil, &onnxpb.AttributeProto{Name: "perm", Type: onnxpb.AttributeProto_INTS, Ints: []int64{0, 1, 3, 2}})
		}),
		inGraph("delta-state-not-carried", "qwen3-next", "every call begins with states of zeros", func(g *Graph) {
			g.feed(loop, 0, "Mul", []string{g.floats(nil, 0)})
		}),
		inGraph("delta-taps-reversed", "qwen3-next", "the first and the last tap of the convolution change places", func(g *Graph) {
			a, b := g.node("/layers.0/delta/conv0/0/Mul"), g.node("/layers.0/delta/conv0/3/Mul")
			a.Input[0], b.Input[0] = b.Input[0], a.Input[0]
		}),
		inGraph("delta-window-not-carried", "qwen3-next", "the convolution begins every call without what came before", func(g *Graph) {
			g.feed("/layers.0/delta/conv0/Concat", 0, "Mul", []string{g.floats(nil, 0)})
		}),
		inGraph("delta-heads-in-turns", "qwen3-next", "value heads read the key heads in turns instead of runs", func(g *Graph) {
			for _, side := range []string{"q", "k"} {
				g.node("/layers.0/delta/unit/" + side + "/Gather").Input[1] = g.ints(0, 1, 0, 1)
			}
		}),
		inGraph("delta-keys-for-queries", "qwen3-next", "queries and keys change places", func(g *Graph) {
			in := g.node(loop).Input
			in[2], in[5] = in[5], in[2]
		}),
		inGraph("delta-rate-of-padding", "qwen3-next", "padding is written into the states", func(g *Graph) {
			n := g.node("/layers.0/delta/beta/real/Where")
			n.Input[2] = n.Input[1]
		}),
		inGraph("delta-decay-of-padding", "qwen3-next", "padding lets the states decay", func(g *Graph) {
			n := g.node("/layers.0/delta/alpha/real/Where")
			n.Input[2] = n.Input[1]
		}),
		inGraph("delta-gate-missing", "qwen3-next", "what a gated delta net makes is not gated", func(g *Graph) {
			g.bypass("/layers.0/delta/gated/Mul")
		}),
		inGraph("delta-rate-not-doubled", "olmo-hybrid", "rates are not doubled where eigenvalues may be negative", func(g *Graph) {
			g.bypass("/layers.0/delta/beta/scaled/Mul")
		}),
		inGraph("delta-convolutions-in-turns", "olmo-hybrid", "the convolutions of queries and keys change places", func(g *Graph) {
			in := g.node("/layers.0/delta/taps/Concat").Input
			in[0], in[1] = in[1], in[0]
		}),
		inGraph("delta-bound-missing", "bailing", "the logarithms of bounded decays are positive: the bound has the other sign", func(g *Graph) {
			g.feed("/layers.0/delta/alpha/Exp", 0, "Neg", nil)
		}),
		inGraph("delta-decays-in-turns", "bailing", "decays of the numbers of a key are those of the heads in turns", func(g *Graph) {
			g.feed("/layers.0/delta/alpha/Exp", 0, "Reshape", []string{g.ints(0, 0, 8, 4, 1)})
			g.feed("/layers.0/delta/alpha/Exp", 0, "Transpose", nil, &onnxpb.AttributeProto{Name: "perm", Type: onnxpb.AttributeProto_INTS, Ints: []int64{0, 1, 3, 2, 4}})
		}),
		inGraph("delta-gate-silu", "bailing", "the gate of Kimi delta attention is silu instead of the sigmoid", func(g *Graph) {
			g.feed("/layers.0/delta/gated/Mul", 1, "Mul", []string{"/layers.0/delta/z_proj/Gemm_output_0"})
		}),
		inGraph("lightning-grows", "minimax", "states of lightning attention grow: decays have the other sign", func(g *Graph) {
			g.bypass("/layers.0/lightning/decay/Neg")
		}),
		inGraph("lightning-slopes-reversed", "minimax", "heads have each other's decays, last to first", func(g *Graph) {
			g.feed("/layers.0/lightning/decay/Neg", 0, "Gather", []string{g.ints(3, 2, 1, 0)})
		}),
		inGraph("lightning-state-transposed", "minimax-whole", "the state that a call takes over has keys and values the other way round", func(g *Graph) {
			g.feed("/layers.0/lightning/Scan", 0, "Transpose", nil, &onnxpb.AttributeProto{Name: "perm", Type: onnxpb.AttributeProto_INTS, Ints: []int64{0, 1, 3, 2}})
		}),
		inGraph("lightning-keys-for-queries", "minimax", "queries and keys of lightning attention change places", func(g *Graph) {
			in := g.node("/layers.0/lightning/all/Concat").Input
			in[1], in[2] = in[2], in[1]
		}),
		inGraph("lightning-gate-missing", "minimax", "what lightning attention makes is not gated", func(g *Graph) {
			g.bypass("/layers.0/lightning/gated/Mul")
		}),
		inGraph("lightning-decay-of-padding", "minimax-whole", "padding lets the states of lightning attention decay", func(g *Graph) {
			n := g.node("/layers.0/lightning/decay/Where")
			n.Input[2] = n.Input[1]
		}),
		inGraph("residual-of-the-stream", "minimax", "a branch joins the stream instead of its normalised input", func(g *Graph) {
			g.node("/layers.1/output/kept/Mul").Input[0] = g.node("/layers.1/mlp_norm/RMSNormalization").Input[0]
		}),
		inGraph("residual-share-missing", "minimax", "the stream is not multiplied by the share that attention keeps", func(g *Graph) {
			g.bypass("/layers.0/attn_residual/kept/Mul")
		}),
		inGraph("rglru-decay-sign", "recurrent-gemma", "what is left of a state grows: the exponent has the other sign", func(g *Graph) {
			g.feed("/layers.0/rglru/decay/Exp", 0, "Neg", nil)
		}),
		inGraph("rglru-gates-change-places", "recurrent-gemma", "the blocks of the decay's gate and of the input's change places", func(g *Graph) {
			a, b := g.node("/layers.0/rglru/decay/MatMul"), g.node("/layers.0/rglru/input/MatMul")
			a.Input[1], b.Input[1] = b.Input[1], a.Input[1]
		}),
		inGraph("rglru-first-not-whole", "recurrent-gemma", "a row's first token is scaled as any other", func(g *Graph) {
			n := g.node("/layers.0/rglru/left/first/Where")
			n.Input[1] = n.Input[2]
		}),
		inGraph("rglru-state-not-carried", "recurrent-gemma", "every call begins with states of zeros", func(g *Graph) {
			g.feed("/layers.0/rglru/mixed/Scan", 0, "Mul", []string{g.floats(nil, 0)})
		}),
		inGraph("delta-epsilon", "qwen3-next", "the norms of queries have ε 1e-5 instead of 1e-6 over the head's size", func(g *Graph) {
			attribute(g.node("/layers.0/delta/unit/q/RMSNormalization"), "epsilon").F = 1e-5
		}),
	}
}
