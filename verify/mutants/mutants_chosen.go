package mutants

import "strings"

// chosenLayerMutants are faults that have to show where some layers alone are run: in
// those, and in how the stream gets from layer to layer.
func chosenLayerMutants() []Mutant {
	const base = "stories-layers" // layers 1 and 3, and 0, which has the marks
	const norm = "RMSNormalization"
	stream := func(g *Graph, layer string) string { return g.node("/layers." + layer + "/attn_norm/" + norm).Input[0] }
	return []Mutant{
		inGraph("layers-one-passed-over", base, "layer 3 reads what layer 1 hands on, so that layer 2, which is not run, is passed over", func(g *Graph) {
			g.reads("/layers.3/", stream(g, "3"), stream(g, "2"))
		}).still("the layers that are run do not read layer 2's output"),
		inGraph("layers-last-passed-over", base, "the head reads what layer 3 hands on, so that layer 4, which is not run, is passed over", func(g *Graph) {
			g.node("/final_norm/" + norm).Input[0] = stream(g, "4")
		}).still("the layers that are run do not read layer 4's output"),
		inGraph("layers-in-another-order", base, "the stream goes through layer 3 before layers 1 and 2", func(g *Graph) {
			one, three, four := stream(g, "1"), stream(g, "3"), stream(g, "4")
			g.reads("/layers.1/", one, four)
			g.reads("/layers.3/", three, one)
			g.reads("/layers.4/", four, three)
			g.sortNodes()
		}).still("of each layer that is run input and output are right"),
		inGraph("layers-branch-of-one-before", base, "layer 3 adds its attention to the stream that went into layer 2", func(g *Graph) {
			g.node("/layers.3/attn/o_proj/Gemm").Input[2] = stream(g, "2")
		}).still("layer 2 is not run, and without it both are the same stream"),
		inGraph("layers-branch-of-two-before", base, "layer 3 adds its attention to the stream that went into layer 1", func(g *Graph) {
			g.node("/layers.3/attn/o_proj/Gemm").Input[2] = stream(g, "1")
		}),
		inGraph("layers-weight-of-another", base, "layer 3 reads the gate of layer 2, which is not run", func(g *Graph) {
			g.node("/layers.3/mlp/gate_proj/Gemm").Input[1] = "model.layers.2.mlp.gate_proj.weight"
		}),
		inGraph("layers-weight-a-row-on", base, "layer 3's down_proj is read a row further on", func(g *Graph) {
			g.shift("model.layers.3.mlp.down_proj.weight", 4*172)
		}),
		inGraph("layers-turned-backwards", base, "the queries of layer 3 turn by −θ", func(g *Graph) { g.swap("/layers.3/attn/q/Rotation", 1, 2) }),
		inGraph("layers-value-of-another", base, "layer 3 attends to the values of layer 2, which is not run", func(g *Graph) {
			g.node("/layers.3/attn/Attention").Input[2] = g.node("/layers.2/attn/Attention").Input[2]
		}).still("layer 2's nodes are not there to be run"),
	}
}

// reads has the nodes of a layer read one value in the place of another.
func (g *Graph) reads(layer, was, is string) {
	for _, n := range g.model.Graph.Node {
		for i, in := range n.Input {
			if in == was && strings.HasPrefix(n.GetName(), layer) {
				n.Input[i] = is
			}
		}
	}
}
