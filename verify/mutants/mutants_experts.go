package mutants

// expertMutants get a mixture of experts wrong: who is chosen, in which order, and what
// each weighs.
func expertMutants() []Mutant {
	swap := func(name string, a, b int) func(g *Graph) {
		return func(g *Graph) {
			in := g.node(name).Input
			in[a], in[b] = in[b], in[a]
		}
	}
	return []Mutant{
		inGraph("gates-in-another-order", "qwen3-moe", "gates of experts 0 and 1 are joined the other way round", swap("/layers.0/mlp/experts/gate/Concat", 0, 1)),
		inGraph("results-in-another-order", "qwen3-moe", "what experts 1 and 2 make is joined the other way round", swap("/layers.1/mlp/experts/join/Concat", 1, 2)),
		inGraph("worst-experts", "qwen3-moe", "the experts of the least scores are chosen", func(g *Graph) {
			attribute(g.node("/layers.0/mlp/router/TopK"), "largest").I = 0
		}),
		inGraph("router-of-another-layer", "qwen3-moe", "layer 0 chooses by layer 1's router", func(g *Graph) {
			g.node("/layers.0/mlp/router/Gemm").Input[1] = g.node("/layers.1/mlp/router/Gemm").Input[1]
		}),
		inGraph("rows-of-two-tokens", "qwen3-moe", "experts read the first two tokens, by the place of the choice", func(g *Graph) {
			g.node("/layers.0/mlp/experts/rows/Div").OpType = "Mod"
		}),
		inGraph("weights-by-place", "qwen3-moe", "the first choice weighs what the first expert's score is", func(g *Graph) {
			n := g.node("/layers.1/mlp/router/GatherElements")
			n.Input[1] = g.before(n.GetName(), "Mul", []string{n.Input[1], g.ints(0)})
		}),
		inGraph("shared-gate-missing", "qwen3-next", "the shared expert is added whole, not times its gate", func(g *Graph) {
			g.node("/layers.0/mlp/experts/shared/Add").Input[1] = g.node("/layers.0/mlp/shared_gate/Mul").Input[1]
		}),
		inGraph("corrected-weights", "glm4-moe", "experts weigh their corrected scores", func(g *Graph) {
			g.node("/layers.1/mlp/router/GatherElements").Input[0] = g.node("/layers.1/mlp/router/corrected/Add").Output[0]
		}),
	}
}
