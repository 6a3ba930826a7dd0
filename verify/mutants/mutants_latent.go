package mutants

// latentMutants get a cache of latents wrong, and what is made of them.
func latentMutants() []Mutant {
	const cached, scaled = "deepseek-v3-latent", "longcat-latent"
	return []Mutant{
		inGraph("latent-cached-before-norm", cached, "latents of layer 0 are cached before their norm", func(g *Graph) { g.bypass("/layers.0/attn/kv_latent_norm/RMSNormalization") }),
		inGraph("latent-cached-unscaled", scaled, "latents of layer 1 are cached without their factor", func(g *Graph) { g.bypass("/layers.1/attn/kv_latent_scaled/Mul") }),
		inGraph("latent-before-slice", cached, "layer 1 caches the latent before the slice that turns", func(g *Graph) { g.swap("/layers.1/attn/kv/Concat", 0, 1) }),
		inGraph("slice-cached-unturned", cached, "the slice that all keys share is cached before it turns", func(g *Graph) { g.bypass("/layers.0/attn/k/Rotation") }),
		inGraph("slice-turned-by-sine-of-other", cached, "the slice of layer 1 turns by cosines alone", func(g *Graph) {
			n := g.node("/layers.1/attn/k/Rotation")
			n.Input[2] = n.Input[1]
		}),
		inGraph("queries-absorb-other-layer", cached, "queries of layer 1 are multiplied with the keys' weights of layer 0", func(g *Graph) {
			g.node("/layers.1/attn/k_proj/MatMul").Input[1] = g.node("/layers.0/attn/k_proj/MatMul").Input[1]
		}),
		inGraph("still-before-turned", cached, "queries of layer 0 meet latents with what turns behind", func(g *Graph) { g.swap("/layers.0/attn/q_absorbed/Concat", 0, 1) }),
		inGraph("values-with-the-slice", cached, "values of layer 1 begin with the slice that turns", func(g *Graph) {
			n := g.node("/layers.1/attn/kv/values/Slice")
			n.Input[1], n.Input[2] = g.ints(0), g.ints(16)
		}),
		inGraph("values-of-other-heads", cached, "heads of layer 0 read latents by each other's weights", func(g *Graph) {
			g.feed("/layers.0/attn/v_proj/MatMul", 1, "Gather", []string{g.ints(1, 0, 3, 2)}, intAttribute("axis", 0))
		}),
		inGraph("latents-of-the-past-last", cached, "the past's latents are joined behind this call's", func(g *Graph) { g.swap("/layers.1/attn/kv/present/Concat", 0, 1) }),
		inGraph("latents-of-other-layer", cached, "layer 1 reads layer 0's past", func(g *Graph) { g.node("/layers.1/attn/kv/present/Concat").Input[0] = "past_key_values.0.latent" }),
		inGraph("latent-cache-in-metadata", cached, "the metadata say that keys and values are cached", func(g *Graph) { g.metadata("pecvt.cache", "full") }).
			still("a reader who goes by the metadata gives keys and values to a graph that takes neither"),
	}
}
