package mutants

// writtenMutants get operators wrong that a graph has written out in others, or
// weights that it holds the other way round.
func writtenMutants() []Mutant {
	const old, inlined, matmul = "llama-hope-opset17", "bloom-mask-portable", "llama-hope-matmul"
	const att0, att1 = "/layers.0/attn/Attention", "/layers.1/attn/Attention"
	const norm1, turn1 = "/layers.1/mlp_norm/RMSNormalization", "/layers.1/attn/k/Rotation"
	one := func(g *Graph, node string, input int, v float64) { g.node(node).Input[input] = g.floats([]int64{}, v) }
	return []Mutant{
		inGraph("written-scale", old, "scores of layer 1 are divided by d instead of √d", func(g *Graph) { one(g, att1+"/scale", 1, 1.0/16) }),
		inGraph("written-scale-a-little-off", old, "the scale of scores is 0.2501 instead of 0.25", func(g *Graph) { one(g, att1+"/scale", 1, 0.2501) }),
		inGraph("written-softmax-over-queries", old, "the softmax runs over queries instead of keys", func(g *Graph) { attribute(g.node(att0+"/softmax"), "axis").I = 2 }),
		inGraph("written-mask-left-out", old, "scores of layer 0 are not masked", func(g *Graph) { one(g, att0+"/masked", 1, 0) }),
		inGraph("written-mask-too-small", old, "the mask adds −3 to keys that are not seen", func(g *Graph) {
			g.table("/const/unseen", func(int, int, float64) float64 { return -3 })
		}),
		inGraph("written-past-after-keys", old, "this call's keys stand before the past's", func(g *Graph) { g.swap(att0+"/key", 0, 1) }),
		inGraph("written-keys-for-values", old, "the sum of values is one of keys", func(g *Graph) { g.node(att0 + "/context").Input[1] = g.node(att0 + "/key").Output[0] }),
		inGraph("written-heads-regrouped", old, "heads are read as rows of one group each in turn", func(g *Graph) {
			order := g.ints(0, 2, 1, 3)
			g.feed(att0+"/groups", 0, "Gather", []string{order}, intAttribute("axis", 1))
		}),
		inGraph("written-norm-epsilon", old, "the ε of one norm is 1e-3", func(g *Graph) { one(g, norm1+"/epsilon", 1, 1e-3) }),
		inGraph("written-norm-epsilon-left-out", old, "the ε of one norm is 0", func(g *Graph) { one(g, norm1+"/epsilon", 1, 0) }).
			still("the values of the folder's model are far above ε; those of another prompt, all zeros at the worst, are not"),
		inGraph("written-norm-over-rows", old, "one norm's mean runs over tokens", func(g *Graph) { attribute(g.node(norm1+"/mean"), "axes").Ints[0] = 0 }),
		inGraph("written-norm-without-root", old, "one norm divides by the mean square", func(g *Graph) { g.node(norm1 + "/root").OpType = "Abs" }),
		inGraph("written-rotation-sign", old, "keys of layer 1 turn the other way", func(g *Graph) {
			g.node(turn1+"/first").OpType, g.node(turn1+"/second").OpType = "Add", "Sub"
		}),
		inGraph("written-rotation-halves", old, "the halves of keys change places before they turn", func(g *Graph) {
			out := g.node(turn1 + "/halves").Output
			out[0], out[1] = out[1], out[0]
		}),
		inGraph("written-rotation-one-product", old, "the second half of keys is turned by the sine alone", func(g *Graph) {
			g.node(turn1 + "/second_cos").Input[1] = g.node(turn1 + "/sin").Output[0]
		}),
		inGraph("inlined-distance-reversed", inlined, "the bias of layer 0 rises with the distance", func(g *Graph) { g.swap("/layers.0/attn/bias/RelativeBias/Sub_distance", 0, 1) }),
		inGraph("inlined-rate-left-out", inlined, "the bias of layer 0 is the distance for every head", func(g *Graph) { one(g, "/layers.0/attn/bias/RelativeBias", 1, 1) }),
		inGraph("functions-in-metadata", inlined, "the metadata say that functions are kept", func(g *Graph) { g.metadata("pecvt.functions", "kept") }).
			still("whoever goes by it takes the graph for one that runtimes without functions refuse"),
		inGraph("transposed-weight-of-another", matmul, "the product of q reads k's transposed weight twice over", func(g *Graph) {
			k := "model.layers.0.self_attn.k_proj.weight^T"
			g.node("/layers.0/attn/q_proj/Gemm").Input[1] = g.before("/layers.0/attn/q_proj/Gemm", "Concat", []string{k, k}, intAttribute("axis", 1))
		}),
		inGraph("transposed-weight-as-stored", matmul, "a square weight is read as it is stored", func(g *Graph) {
			g.feed("/layers.0/attn/o_proj/Gemm/MatMul", 1, "Transpose", nil)
		}),
		inGraph("transposed-weight-elsewhere", matmul, "a transposed weight begins one row late", func(g *Graph) { g.shift("model.layers.1.mlp.up_proj.weight^T", 4*96) }),
	}
}
