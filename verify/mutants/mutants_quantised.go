package mutants

import (
	"encoding/binary"
	"math"

	"github.com/pecvt/pecvt/convert/store"
)

// quantisedMutants get what makes numbers of codes wrong, in the result with its graph
// or in the files after it.
func quantisedMutants() []Mutant {
	const q, up = "model.layers.0.self_attn.q_b_proj.weight", "model.layers.1.mlp.experts.5.up_proj.weight"
	const v = "model.layers.1.self_attn.v_proj.weight"
	const u4 = "model.layers.1.mlp.up_proj.weight"
	return []Mutant{
		inResult("block-scale-doubled", "fp8", "one block of a weight has a scale twice as large", func(f *Folder) { f.scale(q+"_scale_inv", 1, 2, 2) }),
		inResult("block-scales-turned", "fp8", "the scales of a weight's blocks are in the reverse order", func(f *Folder) { f.reversed(q + "_scale_inv") }),
		inResult("block-scale-a-little-off", "fp8", "one block of an expert has a scale 1 % too large", func(f *Folder) { f.scale(up+"_scale_inv", 0, 1, 1.01) }),
		inResult("codes-of-another-row", "fp8", "two rows of codes change places, their scales do not", func(f *Folder) {
			f.rowsMoved("model.layers.0.mlp.down_proj.weight", func(i int) int {
				switch i {
				case 3:
					return 25
				case 25:
					return 3
				}
				return i
			})
		}),
		inResult("zero-point-off", "int8", "the zero point of one row is one less", func(f *Folder) {
			f.values(v+"_zero_point", func(x []float64, _ store.Info) { x[7]-- })
		}),
		inResult("nibbles-exchanged", "mxfp4", "the two codes of every byte change places", func(f *Folder) {
			f.raw("model.layers.0.mlp.experts.down_proj_blocks", func(b []byte, _ store.Info) {
				for i, x := range b {
					b[i] = x>>4 | x<<4
				}
			})
		}),
		inResult("exponent-of-one-block", "mxfp4", "one block of an expert has the next exponent", func(f *Folder) {
			f.raw("model.layers.1.mlp.experts.gate_up_proj_scales", func(b []byte, _ store.Info) { b[11]++ })
		}),
		inResult("words-in-another-order", "awq", "rows 1 and 2 of every eight change places", func(f *Folder) {
			f.raw("model.layers.0.self_attn.k_proj.qweight", func(b []byte, _ store.Info) {
				for i := 0; i < len(b); i += 4 { // the second code from below is of row 2, the fifth of row 1
					x := b[i] >> 4
					b[i] = b[i]&15 | b[i+2]<<4
					b[i+2] = b[i+2]&0xf0 | x
				}
			})
		}),
		inResult("zero-point-of-one-group", "awq", "the zero point of one row in one group is another", func(f *Folder) {
			f.raw("model.layers.1.mlp.up_proj.qzeros", func(b []byte, _ store.Info) { b[9] ^= 2 })
		}),
		inResult("groups-taken-in-order", "gptq-act", "columns go by their order to groups, not by g_idx", func(f *Folder) {
			f.raw("model.layers.0.mlp.down_proj.g_idx", func(b []byte, _ store.Info) {
				for j := range len(b) / 4 {
					binary.LittleEndian.PutUint32(b[4*j:], uint32(j/32))
				}
			})
		}),
		inFiles("zeros-of-the-other-version", "gptq-act", "checkpoint_format is gptq, whose zero points are stored less one", func(f *Folder) {
			f.config(`"gptq_v2"`, `"gptq"`)
		}),
		inResult("quarters-exchanged", "bitnet", "rows of a packed weight are a quarter further", func(f *Folder) {
			f.raw("model.layers.0.self_attn.q_proj.weight", func(b []byte, _ store.Info) {
				for i, x := range b {
					b[i] = x>>2 | x<<6
				}
			})
		}),
		inFiles("scale-divides", "bitnet", "config.json names the class of linears that divides by the scale", func(f *Folder) {
			f.config(`"autobitlinear"`, `"bitlinear"`)
		}),
		inGraph("nibble", "gptq4", "one code of a weight of 4 bits is another", func(g *Graph) { g.initializer(u4 + "#codes4").RawData[1] ^= 0x70 }),
		inGraph("nibble-scale", "gptq4", "the scale of one block is 1 % too large", func(g *Graph) {
			raw := g.initializer(u4 + "#scales").RawData[8:]
			binary.LittleEndian.PutUint32(raw, math.Float32bits(1.01*math.Float32frombits(binary.LittleEndian.Uint32(raw))))
		}),
		inGraph("nibble-zero-point", "gptq4", "the zero point of one block is another", func(g *Graph) { g.initializer(u4 + "#zeros4").RawData[0] ^= 3 }),
		inGraph("nibbles-behind-8-bits", "gptq4", "a product with codes rounds what enters it to 8 bits", func(g *Graph) {
			attribute(g.node("/layers.0/attn/q_proj/Gemm"), "accuracy_level").I = 4
		}),
		inGraph("nibbles-with-scales-of-another", "gptq4", "the codes of q meet the scales of o", func(g *Graph) {
			g.node("/layers.0/attn/q_proj/Gemm").Input[2] = "model.layers.0.self_attn.o_proj.weight#scales"
		}),
		inResult("halves-exchanged", "gguf", "the two codes of every byte of a weight's blocks change places", func(f *Folder) {
			f.raw("model.layers.0.mlp.up_proj.weight_q4_0", func(b []byte, _ store.Info) {
				for i, x := range b {
					if i%18 > 1 {
						b[i] = x>>4 | x<<4
					}
				}
			})
		}),
		inResult("minimum-of-one-block", "gguf", "the minimum of one block changes its sign", func(f *Folder) {
			f.raw("model.layers.0.self_attn.q_proj.weight_q4_1", func(b []byte, _ store.Info) { b[40+3] ^= 0x80 })
		}),
		inGraph("offset-of-one-block", "gguf", "what is added to the numbers of one block is 1 % too large", func(g *Graph) {
			raw := g.initializer("model.layers.1.self_attn.q_proj.weight#offsets").RawData[8:]
			binary.LittleEndian.PutUint32(raw, math.Float32bits(1.01*math.Float32frombits(binary.LittleEndian.Uint32(raw))))
		}),
		inGraph("offsets-left-out", "gguf", "the minimums of a weight's blocks are not added", func(g *Graph) {
			clear(g.initializer("model.layers.0.self_attn.k_proj.weight#offsets").RawData)
		}),
		inGraph("offsets-of-another-weight", "gguf", "the minimums of another layer's q are added to a product", func(g *Graph) {
			g.node("/layers.1/attn/q_proj/Gemm").Input[1] = g.node("/layers.0/attn/q_proj/Gemm").Input[1]
		}),
		inFiles("file-block-scale", "fp8", "a block's scale is 1 % larger than when the graph was made", func(f *Folder) { f.scale(up+"_scale_inv", 0, 1, 1.01) }),
		inFiles("file-block-scale-not-finite", "fp8", "a block's scale is no number", func(f *Folder) {
			f.raw(q+"_scale_inv", func(b []byte, _ store.Info) { copy(b[4:8], []byte{0, 0, 0xc0, 0x7f}) })
		}).still("the checkpoint cannot be read any more"),
		inFiles("quantisation-undeclared", "fp8", "config.json does not say that the weights are codes", func(f *Folder) {
			f.config(`"quantization_config"`, `"unused"`)
		}).still("the tensors are codes of which nothing tells what they mean"),
	}
}
