package mutants

// roundedMutants get what a graph holds of weights that were rounded to codes wrong.
func roundedMutants() []Mutant {
	const up, embed = "model.layers.0.mlp.up_proj.weight", "model.embed_tokens.weight"
	const why = "the reference reads the graph's codes, so that both answer alike; only the checkpoint tells"
	const joined, gateUp = "/layers.0/attn/qkv_proj/Gemm", "/layers.0/mlp/gate_up_proj"
	raw := func(g *Graph, name string) []byte { return g.initializer(name).RawData }
	return []Mutant{
		inGraph("rounded-nibbles-exchanged", "int4", "the two codes of every byte of a map change places", func(g *Graph) {
			for i, x := range raw(g, up+"~codes4") {
				raw(g, up+"~codes4")[i] = x>>4 | x<<4
			}
		}).still(why),
		inGraph("rounded-code-off", "int4", "one code of the embedding is two off", func(g *Graph) { raw(g, embed+"~codes4")[3] ^= 2 }).still(why),
		inGraph("rounded-blocks-moved", "int4", "the blocks of a map's rows are one further", func(g *Graph) {
			b := raw(g, up+"~codes4")
			copy(b, append(append([]byte{}, b[16:]...), b[:16]...))
		}).still(why),
		inGraph("rounded-scales-of-another-row", "int4", "the scales of a map are those of the next row", func(g *Graph) {
			b, line := raw(g, up+"~scales"), 2*int(g.initializer(up + "~scales").Dims[1])
			copy(b, append(append([]byte{}, b[line:]...), b[:line]...))
		}).still(why),
		inGraph("rounded-scale-doubled", "int4", "the scale of one block is twice as large", func(g *Graph) { raw(g, up+"~scales")[5] += 4 }).still(why),
		inGraph("rounded-low-turned", "int4", "the least number of one block changes its sign", func(g *Graph) { raw(g, up+"~lows")[7] ^= 0x80 }).still(why),
		inFiles("rounded-scale-damaged", "int4", "the last bit of one scale is another, after the graph was written", func(f *Folder) {
			f.graph(func(g *Graph) { raw(g, up+"~scales")[8] ^= 1 })
		}).still(why),
		inGraph("rounded-lows-left-out", "int4", "a product goes on without what its blocks' lows add", func(g *Graph) {
			g.node("/layers.0/mlp/up_proj/Gemm").Input[0] = g.node("/layers.0/attn/q_proj/Gemm").Input[0]
		}),
		inGraph("rounded-zero-point", "int4-zeros", "the zero point of one block is another", func(g *Graph) { raw(g, up+"~zeros")[1] ^= 0x30 }).still(why),
		inGraph("rounded-head-code-off", "int4-head8", "one code of the embedding, of 8 bits, is two off", func(g *Graph) { raw(g, embed+"~codes8")[3] ^= 2 }).still(why),
		inGraph("rounded-head-scales-exchanged", "int4-head8", "the scales of two blocks of the head change places", func(g *Graph) {
			b := raw(g, embed+"~scales")
			b[0], b[1], b[2], b[3] = b[2], b[3], b[0], b[1]
		}).still(why),
		inGraph("rounded-head-in-metadata", "int4-head8", "the metadata say that the head stays as it is stored", func(g *Graph) { g.metadata("pecvt.head", "stored") }).
			still("the numbers are those of the codes, whatever they are called"),
		inGraph("rounded-coding-in-metadata", "int4", "the metadata say that blocks are of 64", func(g *Graph) { g.metadata("pecvt.coding", "int4, blocks of 64, zero points float") }).
			still("the numbers are those of the codes, whatever they are called"),
		inGraph("rounded-inputs", "int4", "a product of a graph that says float32 rounds what enters it to 8 bits", func(g *Graph) {
			attribute(g.node("/layers.0/mlp/up_proj/Gemm/MatMulNBits"), "accuracy_level").I = 4
		}),
		inGraph("decoded-code-off", "int4-portable", "one code of a map, as integers of 4 bits, is two off", func(g *Graph) { raw(g, up+"~elements4")[3] ^= 2 }).still(why),
		inGraph("decoded-head-unlike-embedding", "int4-portable", "the head's integers of 4 bits are not the codes of the embedding that it is tied to", func(g *Graph) {
			b := raw(g, embed+"~elements4")
			b[0], b[1] = b[1], b[0]^0x40
		}),
		inGraph("decoded-middle", "int4-portable", "16 is taken off the codes of a map, where the middle is 8", func(g *Graph) {
			g.node("/rounded/" + up + "~map/zero/Sub").Input[1] = "/const/sixteen"
		}),
		inGraph("decoded-lows-left-out", "int4-portable", "a product of decoded codes goes on without what its blocks' lows add", func(g *Graph) {
			g.node("/layers.0/mlp/up_proj/Gemm").Input[0] = g.node("/layers.0/attn/q_proj/Gemm").Input[0]
		}),
		inGraph("decoded-lows-of-another-map", "int4-portable", "a product of decoded codes has the lows of another map", func(g *Graph) {
			g.node("/layers.0/mlp/up_proj/Gemm").Input[1] = g.node("/layers.0/mlp/gate_proj/Gemm").Input[1]
		}),
		inGraph("joined-rows-exchanged", "int4-ort", "one product has the rows of keys before those of queries", func(g *Graph) {
			for _, step := range []string{"codes", "scales", "middles"} {
				g.swap(joined+"/"+step+"/Concat", 0, 1)
			}
		}),
		inGraph("joined-codes-exchanged", "int4-ort", "one product has the codes of values for keys, and their own scales", func(g *Graph) {
			g.swap(joined+"/codes/Concat", 1, 2)
		}),
		inGraph("joined-scales-of-another-layer", "int4-ort", "one product has the scales of the next layer's keys", func(g *Graph) {
			g.node(joined + "/scales/Concat").Input[1] = g.node("/layers.1/attn/qkv_proj/Gemm/scales/Concat").Input[1]
		}),
		inGraph("joined-lows-exchanged", "int4-ort", "one product has the lows of values for keys", func(g *Graph) {
			g.swap(joined+"/middles/Concat", 1, 2)
		}),
		inGraph("stream-of-three-axes-cut", "int4-ort-none", "in a stream of three axes, layer 1 adds its MLP to what attention read", func(g *Graph) {
			g.node("/layers.1/mlp/down_proj/Gemm").Input[1] = g.node("/layers.0/mlp/down_proj/Gemm").Output[0]
		}),
		inGraph("joined-gate-for-up", "int4-ort", "gate and up of one product change places where it is cut", func(g *Graph) {
			out := g.node(gateUp + "/Split").Output
			out[0], out[1] = out[1], out[0]
		}),
		inGraph("joined-up-codes-exchanged", "int4-ort", "one product has the codes of up for the gate, and the reverse, with the scales and lows of the other", func(g *Graph) {
			g.swap(gateUp+"/Gemm/codes/Concat", 0, 1)
		}),
	}
}
