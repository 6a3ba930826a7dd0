package mutants

import "github.com/pecvt/pecvt/convert/store"

// quantisedMutants get what makes numbers of codes wrong, in the result with its graph
// or in the files after it.
func quantisedMutants() []Mutant {
	const q, up = "model.layers.0.self_attn.q_b_proj.weight", "model.layers.1.mlp.experts.5.up_proj.weight"
	const v = "model.layers.1.self_attn.v_proj.weight"
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
		inFiles("file-block-scale", "fp8", "a block's scale is 1 % larger than when the graph was made", func(f *Folder) { f.scale(up+"_scale_inv", 0, 1, 1.01) }),
		inFiles("file-block-scale-not-finite", "fp8", "a block's scale is no number", func(f *Folder) {
			f.raw(q+"_scale_inv", func(b []byte, _ store.Info) { copy(b[4:8], []byte{0, 0, 0xc0, 0x7f}) })
		}).still("the checkpoint cannot be read any more"),
		inFiles("quantisation-undeclared", "fp8", "config.json does not say that the weights are codes", func(f *Folder) {
			f.config(`"quantization_config"`, `"unused"`)
		}).still("the tensors are codes of which nothing tells what they mean"),
	}
}
