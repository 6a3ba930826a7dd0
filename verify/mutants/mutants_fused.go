package mutants

import (
	"encoding/binary"
	"math"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// fusedMutants are faults of graphs whose operators are attention with a bias inside.
func fusedMutants() []Mutant {
	return []Mutant{
		inGraph("fused-distance-reversed", "grape-a-fused", "the bias rises with the distance", func(g *Graph) {
			n := g.bodyNode("RelativeAttention", "distance")
			n.Input[0], n.Input[1] = n.Input[1], n.Input[0]
		}),
		inGraph("fused-rates-swapped", "grape-a-fused", "layer 0 takes the query's rates from the slopes in the reverse order", func(g *Graph) {
			g.reversed("/const//layers.0/attn/bias/query_gate/omega")
		}),
		inGraph("fused-scale", "grape-a-fused", "layer 1 scales scores by 1 part in 1000 more", func(g *Graph) {
			attribute(g.node("/layers.1/attn/Attention"), "scale").F *= 1.001
		}),
		inGraph("fused-padding-seen", "grape-fox-fused", "padding is seen", func(g *Graph) { g.bodyNode("PathAttention", "known").Input[1] = "nearby" }),
		inGraph("fused-mask-low", "grape-fox-fused", "a key that is not seen has −1e4 added to its score", func(g *Graph) {
			raw := g.bodyNode("PathAttention", "unseen").Attribute[0].T.RawData
			binary.LittleEndian.PutUint32(raw, math.Float32bits(-1e4))
		}).still("scores of the checks' prompts are small; with scores that far apart hidden keys are seen"),
		inGraph("fused-fraction-left-out", "grape-fox-fused", "sums of gates are their whole parts alone", func(g *Graph) { g.bodyNode("PathAttention", "bias").Input[1] = "whole" }),
		inGraph("fused-window", "grape-fox-fused", "layer 0 sees the nearest 1000 keys", func(g *Graph) {
			g.node("/layers.0/attn/Attention").Input[6] = g.scalar(1000)
		}).still("the checks' prompts are shorter than that window"),
		inGraph("fused-path-inclusive", "grape-ap-fused", "the path counts its first key as well", func(g *Graph) {
			attribute(g.bodyNode("PathIntegralAttention", "bias"), "exclusive").I = 0
		}),
		inGraph("fused-path-over-padding", "grape-ap-fused", "a path sums over padding", func(g *Graph) {
			g.bodyNode("PathIntegralAttention", "on_path").Input[1] = "causal"
		}),
	}
}

// bodyNode is the node of a function's body that gives a value.
func (g *Graph) bodyNode(function, output string) *onnxpb.NodeProto {
	for _, n := range g.function(function).Node {
		if n.GetOutput()[0] == output {
			return n
		}
	}
	fail("function %s has no value %s", function, output)
	return nil
}
