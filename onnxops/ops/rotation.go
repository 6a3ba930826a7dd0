package ops

import (
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// rotation is Rotation: heads turned by given cosines and sines, in Hugging
// Face's orientation (arXiv 2104.09864).
var rotation = Op{
	Name:  "Rotation",
	Since: 1,
	Summary: "Turns every plane p of the first r = rotary_embedding_dim coordinates of each head, 0 being all of them: " +
		"y1 = x1·cos_p − x2·sin_p, y2 = x2·cos_p + x1·sin_p, where (x1, x2) are the coordinates (p, p + r/2), " +
		"or (2p, 2p + 1) with interleaved = 1. The other D − r coordinates pass unchanged. " +
		"A factor on the scores lives in cos and sin; cos = 1, sin = 0 leaves a plane as it is, cos = sin = 0 removes it. " +
		"A negated sine turns the other way, as GRAPE does. Tables that differ by head have the heads folded into the batch: " +
		"X (B·N, 1, S, D), or (B·G, N/G, S, D) for G groups of heads, with tables of (B·N, S, r/2) or (B·G, S, r/2).",
	Inputs: []Param{
		{"X", "float, float16, bfloat16", "(B, N, S, D)", "queries or keys: batch, heads, positions, head size"},
		{"cos", "as X", "(B, S, r/2)", "cosine of each plane's angle at each position"},
		{"sin", "as X", "(B, S, r/2)", "sine of it"},
	},
	Outputs: []Param{{"Y", "as X", "(B, N, S, D)", "the turned heads"}},
	Attrs: []Param{
		{"interleaved", "int", "", "1: a plane is coordinates (2p, 2p + 1); 0: (p, p + r/2)"},
		{"rotary_embedding_dim", "int", "", "r, even, from 2 to D; 0: D"},
	},
	Func: &graph.Function{
		Version: Version,
		Schema:  graph.Schema{Domain: Domain, Op: "Rotation", MinIn: 3, MaxIn: 3, Infer: graph.RotaryTypes},
		Proto: &onnxpb.FunctionProto{
			Name: "Rotation", Domain: Domain,
			Input:       []string{"X", "cos", "sin"},
			Output:      []string{"Y"},
			Attribute:   []string{"interleaved", "rotary_embedding_dim"},
			OpsetImport: []*onnxpb.OperatorSetIdProto{{Domain: "", Version: Opset}},
			Node: []*onnxpb.NodeProto{{
				Name: "RotaryEmbedding", OpType: "RotaryEmbedding",
				Input: []string{"X", "cos", "sin"}, Output: []string{"Y"},
				Attribute: []*onnxpb.AttributeProto{
					graph.RefAttr("interleaved", "interleaved", onnxpb.AttributeProto_INT),
					graph.RefAttr("rotary_embedding_dim", "rotary_embedding_dim", onnxpb.AttributeProto_INT),
				},
			}},
			DocString: "Turns the planes of each head by given cosines and sines: y1 = x1 cos - x2 sin, y2 = x2 cos + x1 sin.",
		},
	},
}
