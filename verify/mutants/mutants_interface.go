package mutants

import (
	"google.golang.org/protobuf/proto"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// interfaceMutants get what a graph says of itself wrong: its outputs, its
// metadata, attributes too little off for a logit to show.
func interfaceMutants() []Mutant {
	const within = "every logit stays within what rounding may do"
	return []Mutant{
		inGraph("output-renamed", "llama-hope", "present.1.key is called present.1.keys", func(g *Graph) { g.rename("present.1.key", "present.1.keys") }).
			still("the output is not there to be read"),
		inGraph("logits-renamed", "stories-hope", "logits is called scores", func(g *Graph) { g.rename("logits", "scores") }).
			still("the output is not there to be read"),
		inGraph("output-left-out", "llama-rope-ort", "present.0.value is no output", func(g *Graph) {
			var rest []*onnxpb.ValueInfoProto
			for _, out := range g.model.Graph.Output {
				if out.GetName() != "present.0.value" {
					rest = append(rest, out)
				}
			}
			g.model.Graph.Output = rest
		}).still("the output is not there to be read"),
		inGraph("positions-renamed", "llama-hope", "position_ids is called positions", func(g *Graph) {
			g.rewire("position_ids", "positions")
			for _, in := range g.model.Graph.Input {
				if in.GetName() == "position_ids" {
					in.Name = "positions"
				}
			}
		}).still("the input is not there to be given"),
		inGraph("last-token-id", "llama-hope", "the last id of the vocabulary is read as the one before it", func(g *Graph) {
			g.feed("/embed/Gather", 1, "Min", []string{g.ints(126)})
		}),
		inGraph("one-position", "llama-hope", "position 337 turns like 336", func(g *Graph) {
			for _, t := range []string{"/rotary/cos/Gather", "/rotary/sin/Gather"} {
				g.node(t).Input[1] = g.redirect(t, 337, 336)
			}
		}).still("no prompt of a check stands there: only a sequence that reaches it shows it"),
		inGraph("one-position-of-a-layer", "qwen3-hope", "keys of layer 1 at position 211 turn like those at 212", func(g *Graph) {
			const k1 = "/layers.1/attn/k/Rotation"
			at := g.redirect(k1, 211, 212)
			for i, t := range []string{"cos", "sin"} {
				g.node(k1).Input[1+i] = g.before(k1, "Gather", []string{"/rotary/" + t + "_table", at})
			}
		}).still("no prompt of a check stands there: only a sequence that reaches it shows it"),
		inGraph("one-position-after-turning", "llama-rope", "turned queries of layer 0 at position 400 are those of −θ", func(g *Graph) {
			const at, turn = "/layers.0/attn/Attention", "/layers.0/attn/q/Rotation"
			n := g.node(turn)
			minus := g.before(at, "Neg", []string{n.Input[2]})
			other := g.before(at, "Rotation", []string{n.Input[0], n.Input[1], minus}, n.Attribute...)
			g.model.Graph.Node[g.position(at)-1].Domain = n.Domain
			here := g.before(at, "Equal", []string{"position_ids", g.ints(400)})
			here = g.before(at, "Unsqueeze", []string{here, g.ints(1, 3)})
			g.node(at).Input[0] = g.before(at, "Where", []string{here, other, n.Output[0]})
		}).still("no prompt of a check stands there: only a sequence that reaches it shows it"),
		inGraph("one-position-of-fused-node", "llama-rope-ort", "GroupQueryAttention of layer 1 has tables of its own, where position 337 has the sines of 336", func(g *Graph) {
			own := proto.Clone(g.initializer("/rotary/sin_table")).(*onnxpb.TensorProto)
			own.Name = g.fresh("sin_table")
			row := len(own.RawData) / int(own.Dims[0])
			copy(own.RawData[337*row:338*row], own.RawData[336*row:])
			g.model.Graph.Initializer = append(g.model.Graph.Initializer, own)
			g.node("/layers.1/attn/GroupQueryAttention").Input[8] = own.Name
		}).still("no prompt of a check stands there: only a sequence that reaches it shows it"),
		inGraph("encoding-in-metadata", "llama-hope", "the metadata call the encoding rope", func(g *Graph) { g.metadata("pecvt.encoding", "rope") }).
			still("a reader that trusts the metadata is told another encoding"),
		inGraph("attention-in-metadata", "llama-rope", "the metadata say that the graph is for GroupQueryAttention", func(g *Graph) { g.metadata("pecvt.attention", "ort") }).
			still("a reader that trusts the metadata is told another form"),
		inGraph("norm-epsilon-within-rounding", "llama-hope", "ε of a norm is 1.01e-6 instead of 1e-6", func(g *Graph) {
			attribute(g.node("/layers.0/attn_norm/RMSNormalization"), "epsilon").F = 1.01e-6
		}).still(within),
		inGraph("norm-epsilon-of-keys", "qwen3-hope", "ε of a key norm is 1.001e-6 instead of 1e-6", func(g *Graph) {
			attribute(g.node("/layers.1/attn/k_norm/RMSNormalization"), "epsilon").F = 1.001e-6
		}).still(within),
		inGraph("scale-within-rounding", "llama-rope", "the scale of scores is 0.25000003 instead of 0.25", func(g *Graph) {
			attribute(g.node("/layers.1/attn/Attention"), "scale").F = 0.25000003
		}).still(within),
		inGraph("scale-of-fused-node-within-rounding", "llama-rope-ort", "the scale of GroupQueryAttention is 0.25000003 instead of 0.25", func(g *Graph) {
			attribute(g.node("/layers.0/attn/GroupQueryAttention"), "scale").F = 0.25000003
		}).still(within),
		inGraph("softcap", "qwen2", "scores are capped at 10000, which config.json does not ask for", func(g *Graph) {
			n := g.node("/layers.0/attn/Attention")
			n.Attribute = append(n.Attribute, &onnxpb.AttributeProto{Name: "softcap", Type: onnxpb.AttributeProto_FLOAT, F: 1e4})
		}).still(within),
		inGraph("gemm-alpha", "llama-rope", "alpha of a projection is 1.0000001", func(g *Graph) {
			n := g.node("/layers.0/mlp/up_proj/Gemm")
			n.Attribute = append(n.Attribute, &onnxpb.AttributeProto{Name: "alpha", Type: onnxpb.AttributeProto_FLOAT, F: 1.0000001})
		}).still(within),
	}
}

// rename gives an output of the graph and of its node another name.
func (g *Graph) rename(from, to string) {
	done := 0
	for _, n := range g.model.Graph.Node {
		for i, out := range n.Output {
			if out == from {
				n.Output[i], done = to, done+1
			}
		}
	}
	for _, out := range g.model.Graph.Output {
		if out.GetName() == from {
			out.Name, done = to, done+1
		}
	}
	if done != 2 {
		fail("%q is no output of the graph", from)
	}
}

// redirect puts in front of a node what reads another position in place of one.
func (g *Graph) redirect(name string, from, to int64) string {
	const positions = "/guard/position_ids/Clip_output_0"
	here := g.before(name, "Equal", []string{positions, g.ints(from)})
	return g.before(name, "Where", []string{here, g.ints(to), positions})
}

// metadata changes an entry.
func (g *Graph) metadata(key, value string) {
	for _, p := range g.model.MetadataProps {
		if p.GetKey() == key {
			p.Value = value
			return
		}
	}
	fail("no metadata %q", key)
}
