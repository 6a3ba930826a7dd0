package mutants

import (
	"math"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/posenc"
)

// typeMutants get wrong what a graph that computes in 16 bits rounds, or says that it
// rounds.
func typeMutants() []Mutant {
	const half, single = int64(onnxpb.TensorProto_FLOAT16), int64(onnxpb.TensorProto_FLOAT)
	const still = "without its casts the graph is right; only its types tell"
	to := func(t int64) *onnxpb.AttributeProto { return intAttribute("to", t) }
	declare := func(change func(p *onnxpb.StringStringEntryProto)) func(g *Graph) {
		return func(g *Graph) {
			for _, p := range g.model.MetadataProps {
				if p.GetKey() == "pecvt.dtype" {
					change(p)
					return
				}
			}
			fail("the graph says nothing of its type")
		}
	}
	return []Mutant{
		inGraph("types-said-otherwise", "half", "the metadata say bfloat16, and the graph computes in float16", declare(func(p *onnxpb.StringStringEntryProto) { p.Value = "bfloat16" })).still(still),
		inGraph("types-not-said", "half", "the metadata say nothing of float16", declare(func(p *onnxpb.StringStringEntryProto) { p.Key = "pecvt.other" })).still(still),
		inGraph("types-two-of-16-bits", "half", "one weight is rounded to bfloat16 on its way", func(g *Graph) {
			attribute(g.node("model.layers.0.mlp.up_proj.weight~float16"), "to").I = int64(onnxpb.TensorProto_BFLOAT16)
		}).still(still),
		inGraph("types-mask-of-float32", "half", "a key that is not seen has float32's lowest added, which is −∞ in float16", func(g *Graph) {
			g.table("/const/unseen", func(int, int, float64) float64 { return -math.MaxFloat32 })
		}).still(still),
		inGraph("types-table-rounded", "half", "cosines are rounded to float16 in the table", func(g *Graph) {
			g.table("/rotary/cos_table", func(_, _ int, x float64) float64 { return posenc.Float16.Round(x) })
		}),
		inGraph("types-position-rounded", "half-alibi", "positions are rounded to float16 before distances are taken", func(g *Graph) {
			const at = "/layers.0/attn/bias/RelativeBias"
			g.feed(at, 0, "Cast", nil, to(half))
			g.feed(at, 0, "Cast", nil, to(single))
		}).still("rounds no position of a prompt"),
		inGraph("types-weight-not-cast", "half", "a product reads its weight in float32", func(g *Graph) {
			g.node("/layers.0/mlp/up_proj/Gemm").Input[1] = "model.layers.0.mlp.up_proj.weight"
		}),
		inGraph("types-cache-in-float32", "half", "keys are taken in float32 and cast", func(g *Graph) {
			const at = "/layers.1/attn/Attention"
			for _, in := range g.model.Graph.Input {
				if in.GetName() == g.node(at).Input[4] {
					in.GetType().GetTensorType().ElemType = int32(single)
				}
			}
			g.feed(at, 4, "Cast", nil, to(half))
		}).still(still),
		inGraph("types-small-numbers", "half", "what the heads read is made 2^24 times smaller, and as much larger again", func(g *Graph) {
			const at = "/layers.0/attn/o_proj/Gemm"
			for _, factor := range []float64{0x1p-24, 0x1p12, 0x1p12} {
				g.feed(at, 0, "Mul", []string{g.before(at, "Cast", []string{g.floats(nil, factor)}, to(half))})
			}
		}),
		inGraph("types-router-rounded", "half-experts", "a router's logits are rounded to float16", func(g *Graph) {
			const at = "/layers.0/mlp/router/Softmax"
			g.feed(at, 0, "Cast", nil, to(half))
			g.feed(at, 0, "Cast", nil, to(single))
		}).still(still),
	}
}
