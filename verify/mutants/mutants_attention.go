package mutants

import "github.com/pecvt/pecvt/onnxops/onnxpb"

// attentionMutants get heads, scores, masks or caches wrong.
func attentionMutants() []Mutant {
	const att0, att1 = "/layers.0/attn/Attention", "/layers.1/attn/Attention"
	const group0, group1 = "/layers.0/attn/GroupQueryAttention", "/layers.1/attn/GroupQueryAttention"
	return []Mutant{
		inGraph("scale-of-scores", "llama-hope", "scores are divided by d instead of √d", func(g *Graph) { attribute(g.node(att1), "scale").F = 1.0 / 16 }),
		inGraph("scale-dropped", "stories-hope", "scores of one layer are not scaled", func(g *Graph) { attribute(g.node(att0), "scale").F = 1 }),
		inGraph("scale-a-little-off", "llama-hope", "the scale of scores is 0.2501 instead of 0.25", func(g *Graph) { attribute(g.node(att1), "scale").F = 0.2501 }),
		inGraph("gqa-head-mapping", "llama-hope", "query head h reads key/value head h mod 2 instead of h / 2", func(g *Graph) {
			order := g.ints(0, 2, 1, 3)
			g.feed(att0, 0, "Gather", []string{order}, intAttribute("axis", 1))
			g.feed("/layers.0/attn/out/Transpose", 0, "Gather", []string{order}, intAttribute("axis", 1))
		}),
		inGraph("gqa-keys-swapped", "qwen3-hope", "the two key heads change places, the values do not", func(g *Graph) {
			g.feed(att0, 1, "Gather", []string{g.ints(1, 0)}, intAttribute("axis", 1))
		}),
		inGraph("heads-reversed-at-output", "qwen2", "heads are joined in the reverse order", func(g *Graph) {
			g.feed("/layers.1/attn/out/Transpose", 0, "Gather", []string{g.ints(3, 2, 1, 0)}, intAttribute("axis", 1))
		}),
		inGraph("cache-key-for-value", "llama-hope", "keys and values of the past change places", func(g *Graph) { g.swap(att0, 4, 5) }),
		inGraph("cache-of-other-layer", "llama-hope", "layer 1 reads layer 0's cache", func(g *Graph) {
			g.node(att1).Input[4], g.node(att1).Input[5] = "past_key_values.0.key", "past_key_values.0.value"
		}),
		inGraph("cache-concat-order", "llama-hope", "the past is joined behind the present", func(g *Graph) { g.joined(att0, true) }),
		inGraph("cache-unrotated-keys", "llama-hope", "keys are cached before they turn", func(g *Graph) {
			g.recache(att1, "/layers.1/attn/k/Transpose_output_0")
		}),
		inGraph("cache-without-past", "qwen2", "the cache returned holds the new keys alone", func(g *Graph) {
			n := g.node(att1)
			present := n.Output[1]
			n.Output[1] = g.fresh("present")
			g.model.Graph.Node = append(g.model.Graph.Node, &onnxpb.NodeProto{OpType: "Identity", Name: g.fresh("Identity"), Input: n.Input[1:2], Output: []string{present}})
		}),
		inGraph("mask-off-by-one", "llama-hope", "a token sees the one after it", func(g *Graph) {
			n := g.node("/mask/causal/LessOrEqual")
			n.Input[1] = g.before(n.GetName(), "Add", []string{n.Input[1], g.ints(1)})
		}),
		inGraph("mask-ends", "llama-hope", "queries after the 64th see what the 64th sees", func(g *Graph) {
			const add = "/mask/query/Add"
			for i, in := range g.node(add).Input {
				if in == "/mask/query/Range_output_0" {
					g.feed(add, i, "Min", []string{g.ints(63)})
					return
				}
			}
			fail("%s does not count queries", add)
		}),
		inGraph("mask-missing", "llama-rope", "a layer's attention has no mask", func(g *Graph) { g.node(att1).Input[3] = "" }),
		inGraph("mask-of-1e4", "llama-hope", "the mask adds −1e4 to keys that are not seen", func(g *Graph) {
			g.table("/const/unseen", func(int, int, float64) float64 { return -1e4 })
		}).still("scores of the checks' prompts are small; with scores that far apart hidden keys are seen"),
		inGraph("mask-forgets-past", "qwen3-hope", "the mask counts queries from 0, whatever the past", func(g *Graph) {
			n := g.node("/mask/query/Add")
			n.Input[1] = g.scalar(0)
		}),
		inGraph("padding-is-seen", "llama-hope", "attention_mask hides nothing", func(g *Graph) {
			shape := g.before("/mask/real/Cast", "Shape", []string{"attention_mask"})
			one := &onnxpb.TensorProto{DataType: int32(onnxpb.TensorProto_INT64), Dims: []int64{1}, RawData: []byte{1, 0, 0, 0, 0, 0, 0, 0}}
			g.node("/mask/real/Cast").Input[0] = g.before("/mask/real/Cast", "ConstantOfShape", []string{shape},
				&onnxpb.AttributeProto{Name: "value", Type: onnxpb.AttributeProto_TENSOR, T: one})
		}),
		inGraph("window-one-longer", "mistral", "the sliding window is 9 instead of 8", func(g *Graph) { g.number("/const/window8", 9) }),
		inGraph("window-one-shorter", "mistral", "the sliding window is 7 instead of 8", func(g *Graph) { g.number("/const/window8", 7) }),
		inGraph("window-missing-in-a-layer", "smollm3", "layer 2 has no window", func(g *Graph) { g.node("/layers.2/attn/Attention").Input[3] = "/mask/Where_output_0" }),
		inGraph("window-in-a-full-layer", "smollm3", "layer 3, which sees everything, has a window", func(g *Graph) { g.node("/layers.3/attn/Attention").Input[3] = "/mask.window8/Where_output_0" }),
		inGraph("window-of-fused-node", "mistral-ort", "local_window_size of GroupQueryAttention is one too large", func(g *Graph) { attribute(g.node(group0), "local_window_size").I++ }),
		inGraph("pairing-of-fused-node", "llama-rope-ort", "GroupQueryAttention pairs (2p, 2p+1)", func(g *Graph) { setInt(g.node(group0), "rotary_interleaved", 1) }),
		inGraph("scale-of-fused-node", "llama-rope-ort", "the scale of GroupQueryAttention is 0.26 instead of 0.25", func(g *Graph) { attribute(g.node(group1), "scale").F = 0.26 }),
		inGraph("total-of-fused-node", "llama-rope-ort", "total_sequence_length counts the tokens of the longest row instead of the columns", func(g *Graph) {
			one := g.fresh("one")
			g.model.Graph.Initializer = append(g.model.Graph.Initializer, &onnxpb.TensorProto{Name: one, DataType: int32(onnxpb.TensorProto_INT32), RawData: []byte{1, 0, 0, 0}})
			longest := g.before(group0, "ReduceMax", []string{g.node(group0).Input[5]}, intAttribute("keepdims", 0))
			total := g.before(group0, "Add", []string{longest, one})
			g.node(group0).Input[6], g.node(group1).Input[6] = total, total
		}).still("a batch whose rows are all padded ends in an error"),
		inGraph("length-of-fused-node", "llama-rope-ort", "seqlens_k of layer 1 is one too small", func(g *Graph) {
			n := g.node(group1)
			raw := []byte{1, 0, 0, 0}
			name := g.fresh("one")
			g.model.Graph.Initializer = append(g.model.Graph.Initializer, &onnxpb.TensorProto{Name: name, DataType: int32(onnxpb.TensorProto_INT32), Dims: []int64{1}, RawData: raw})
			n.Input[5] = g.before(group1, "Sub", []string{n.Input[5], name})
		}),
	}
}

// scalar adds an int64 constant without dimensions.
func (g *Graph) scalar(v int64) string {
	name := g.ints(v)
	g.initializer(name).Dims = nil
	return name
}

// bypass lets whatever reads a node's only output read its first input.
func (g *Graph) bypass(name string) {
	n := g.node(name)
	for _, o := range g.model.Graph.Node {
		for i, in := range o.Input {
			if in == n.Output[0] {
				o.Input[i] = n.Input[0]
			}
		}
	}
}

// joined replaces a cache of keys and values by a concatenation outside of
// Attention: past behind the present, or in front of it.
func (g *Graph) joined(attention string, behind bool) {
	n := g.node(attention)
	for k := range 2 {
		in := []string{n.Input[4+k], n.Input[1+k]}
		if behind {
			in[0], in[1] = in[1], in[0]
		}
		all := g.before(attention, "Concat", in, intAttribute("axis", 2))
		made := g.node(all)
		made.Output[0] = n.Output[1+k]
		n.Input[1+k] = n.Output[1+k]
	}
	n.Input, n.Output = n.Input[:4], n.Output[:1]
}

// recache gives an Attention's present keys from another value than the one it
// scores with: the past joined with that value.
func (g *Graph) recache(attention, key string) {
	n := g.node(attention)
	present := n.Output[1]
	n.Output[1] = g.fresh("present")
	g.model.Graph.Node = append(g.model.Graph.Node, &onnxpb.NodeProto{OpType: "Concat", Name: g.fresh("Concat"),
		Input: []string{n.Input[4], key}, Output: []string{present}, Attribute: []*onnxpb.AttributeProto{intAttribute("axis", 2)}})
}
