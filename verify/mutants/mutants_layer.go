package mutants

// layerMutants get norms, projections or the MLP wrong.
func layerMutants() []Mutant {
	return []Mutant{
		inGraph("norm-epsilon", "llama-hope", "ε of a norm is 1e-3 instead of 1e-6", func(g *Graph) {
			attribute(g.node("/layers.0/mlp_norm/RMSNormalization"), "epsilon").F = 1e-3
		}),
		inGraph("norm-epsilon-a-little", "stories-hope", "ε of a norm is 1e-6 instead of 1e-5", func(g *Graph) {
			attribute(g.node("/layers.2/attn_norm/RMSNormalization"), "epsilon").F = 1e-6
		}),
		inGraph("final-norm-skipped", "stories-hope", "the head reads the stream before the final norm", func(g *Graph) { g.bypass("/final_norm/RMSNormalization") }),
		inGraph("norm-of-another-layer", "stories-hope", "layer 1 is normalised with layer 0's weight", func(g *Graph) {
			g.node("/layers.1/attn_norm/RMSNormalization").Input[1] = g.node("/layers.0/attn_norm/RMSNormalization").Input[1]
		}),
		inGraph("layer-norm-without-mean", "neox", "a LayerNorm is an RMSNorm with a bias", func(g *Graph) {
			const name = "/layers.0/attn_norm/LayerNormalization"
			n := g.node(name)
			bias := n.Input[2]
			n.OpType, n.Input = "RMSNormalization", n.Input[:2]
			out := n.Output[0]
			n.Output[0] = g.fresh("norm")
			g.model.Graph.Node = append(g.model.Graph.Node, addNode(g.fresh("Add"), n.Output[0], bias, out))
			g.sortNodes()
		}),
		inGraph("layer-norm-bias-missing", "starcoder2", "a LayerNorm has no bias", func(g *Graph) {
			n := g.node("/layers.1/mlp_norm/LayerNormalization")
			n.Input = n.Input[:2]
		}),
		inGraph("key-norm-missing", "qwen3-hope", "keys of layer 1 are not normalised", func(g *Graph) { g.bypass("/layers.1/attn/k_norm/RMSNormalization") }),
		inGraph("query-norm-for-key", "qwen3-hope", "keys are normalised with the queries' weight", func(g *Graph) {
			g.node("/layers.0/attn/k_norm/RMSNormalization").Input[1] = g.node("/layers.0/attn/q_norm/RMSNormalization").Input[1]
		}),
		inGraph("bias-missing", "qwen2", "k_proj of layer 0 has no bias", func(g *Graph) {
			n := g.node("/layers.0/attn/k_proj/Gemm")
			n.Input = n.Input[:2]
		}),
		inGraph("bias-of-values-for-keys", "qwen2", "k_proj has v_proj's bias", func(g *Graph) {
			g.node("/layers.1/attn/k_proj/Gemm").Input[2] = g.node("/layers.1/attn/v_proj/Gemm").Input[2]
		}),
		inGraph("gate-and-up-swapped", "llama-rope", "silu is taken of up_proj instead of gate_proj", func(g *Graph) {
			a, b := g.node("/layers.0/mlp/gate_proj/Gemm"), g.node("/layers.0/mlp/up_proj/Gemm")
			a.Input[1], b.Input[1] = b.Input[1], a.Input[1]
		}),
		inGraph("sigmoid-for-silu", "llama-rope", "the activation is σ(x) instead of x σ(x)", func(g *Graph) {
			g.node("/layers.1/mlp/Mul").Input[0] = g.node("/layers.1/mlp/act/Sigmoid").Output[0]
		}),
		inGraph("gelu-approximated", "neox", "GELU is the tanh approximation", func(g *Graph) {
			setText(g.node("/layers.0/mlp/act/Gelu"), "approximate", "tanh")
		}),
		inGraph("residual-after-norm", "llama-rope", "the residual branch starts behind the norm", func(g *Graph) {
			g.node("/layers.1/attn/o_proj/Gemm").Input[2] = g.node("/layers.1/attn_norm/RMSNormalization").Output[0]
		}),
		inGraph("parallel-made-serial", "neox", "the MLP reads the attention's sum instead of the layer's input", func(g *Graph) {
			g.node("/layers.0/mlp_norm/LayerNormalization").Input[0] = g.node("/layers.0/attn/o_proj/Add").Output[0]
			g.sortNodes()
		}),
		inGraph("embedding-norm-skipped", "bloom", "the norm of the embedding is left out", func(g *Graph) { g.bypass("/embed_norm/LayerNormalization") }),
		inGraph("token-off-by-one", "stories-hope", "token n takes the embedding of n − 1", func(g *Graph) {
			g.feed("/embed/Gather", 1, "Sub", []string{g.ints(1)})
		}),
	}
}
