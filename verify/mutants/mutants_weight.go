package mutants

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// weightMutants make a graph read other weights than the checkpoint's.
func weightMutants() []Mutant {
	const layer0, layer1 = "model.layers.0.", "model.layers.1."
	return []Mutant{
		inGraph("weight-transposed", "llama-hope", "o_proj, which is square, is not transposed", func(g *Graph) { attribute(g.node("/layers.0/attn/o_proj/Gemm"), "transB").I = 0 }),
		inGraph("weights-swapped", "llama-hope", "k_proj and v_proj change places", func(g *Graph) {
			a, b := g.node("/layers.1/attn/k_proj/Gemm"), g.node("/layers.1/attn/v_proj/Gemm")
			a.Input[1], b.Input[1] = b.Input[1], a.Input[1]
		}),
		inGraph("weight-of-other-layer", "stories-hope", "q_proj of layer 3 is layer 2's", func(g *Graph) {
			g.node("/layers.3/attn/q_proj/Gemm").Input[1] = "model.layers.2.self_attn.q_proj.weight"
		}),
		inGraph("weight-offset", "llama-hope", "up_proj is read one number too far", func(g *Graph) { g.shift(layer1+"mlp.up_proj.weight", 4) }),
		inGraph("fused-rows-off", "phi3", "the rows of q in qkv_proj begin one row late", func(g *Graph) { g.shift(g.startsWith(layer0+"self_attn.qkv_proj.weight["), 64*4) }),
		inGraph("fused-order", "neox", "rows of k and v of the fused weight change places", func(g *Graph) {
			a, b := g.node("/layers.1/attn/k_proj/Gemm"), g.node("/layers.1/attn/v_proj/Gemm")
			a.Input[1], b.Input[1] = b.Input[1], a.Input[1]
			a.Input[2], b.Input[2] = b.Input[2], a.Input[2]
		}),
		inGraph("shard-mixed-up", "llama-sharded", "a weight is read from another shard at its own offset", func(g *Graph) {
			for _, t := range g.model.Graph.Initializer {
				for _, e := range t.ExternalData {
					if e.GetKey() == "location" && strings.HasPrefix(e.GetValue(), "model-00002") && t.GetName() == layer0+"mlp.down_proj.weight" {
						e.Value = strings.Replace(e.GetValue(), "model-00002", "model-00001", 1)
						return
					}
				}
			}
			fail("down_proj is not in the second shard")
		}),
		inGraph("tied-head-untied", "stories-hope", "the head is a matrix of its own, of zeros but for the first 8 rows", func(g *Graph) {
			head := g.node("/head/Gemm")
			dims := g.initializer(head.Input[1]).Dims
			rows := g.before("/head/Gemm", "Slice", []string{head.Input[1], g.ints(0), g.ints(8), g.ints(0)})
			rest := g.floats([]int64{dims[0] - 8, dims[1]}, make([]float64, (dims[0]-8)*dims[1])...)
			head.Input[1] = g.before("/head/Gemm", "Concat", []string{rows, rest}, intAttribute("axis", 0))
		}),
		inGraph("weight-rounded-to-f16", "llama-hope", "down_proj is rounded to float16", func(g *Graph) {
			const gemm = "/layers.0/mlp/down_proj/Gemm"
			g.feed(gemm, 1, "Cast", nil, intAttribute("to", int64(onnxpb.TensorProto_FLOAT16)))
			g.feed(gemm, 1, "Cast", nil, intAttribute("to", int64(onnxpb.TensorProto_FLOAT)))
		}),
		inGraph("weight-rows-permuted", "qwen2", "the rows of gate_proj are one further", func(g *Graph) {
			order := make([]int64, g.initializer(layer0 + "mlp.gate_proj.weight").Dims[0])
			for i := range order {
				order[i] = int64((i + 1) % len(order))
			}
			g.feed("/layers.0/mlp/gate_proj/Gemm", 1, "Gather", []string{g.ints(order...)}, intAttribute("axis", 0))
		}),
		inCopy("copy-zeroed", "the graph's own copy of k_proj is 0", layer1+"self_attn.k_proj.weight", func(b []byte) { clear(b) }),
		inCopy("copy-tail-zeroed", "the last row of the graph's own copy of the embedding is 0", "model.embed_tokens.weight", func(b []byte) { clear(b[len(b)-64*4:]) }).
			still("no prompt of the checks holds the token: logits show it to its users alone"),
		inCopy("copy-permuted", "two rows deep inside the graph's own copy of up_proj change places", layer0+"mlp.up_proj.weight", func(b []byte) {
			x, y := b[40*256:41*256], b[70*256:71*256]
			kept := bytes.Clone(x)
			copy(x, y)
			copy(y, kept)
		}),
		inCopy("copy-not-finite", "a number in the graph's own copy of the embedding is not one", "model.embed_tokens.weight", func(b []byte) {
			binary.LittleEndian.PutUint32(b[5*256+12:], math.Float32bits(float32(math.NaN())))
		}),
		inCopy("copy-of-unseen-token", "one number of a token's embedding is 0.01 off in the graph's own copy", "model.embed_tokens.weight", func(b []byte) {
			at := b[unseenToken*256+4:]
			binary.LittleEndian.PutUint32(at, math.Float32bits(math.Float32frombits(binary.LittleEndian.Uint32(at))+0.01))
		}).still("no prompt of the checks holds the token: logits show it to its users alone"),
	}
}

// unseenToken is a token that the prompts which verify makes do not hold.
const unseenToken = 113

// inCopy changes a weight's bytes in model.onnx.data.
func inCopy(name, change, weight string, damage func(b []byte)) Mutant {
	return Mutant{Name: name, Base: "llama-hope-copy", Where: Emitter, Change: change, apply: func(f *Folder) {
		offset, length := f.external(weight)
		data := f.read("model.onnx.data")
		damage(data[offset : offset+length])
		f.write("model.onnx.data", data)
	}}
}
