package mutants

import (
	"math"

	"github.com/pecvt/pecvt/convert/store"
)

// rewriteMutants get the encoding of the result wrong, and its graph with it.
func rewriteMutants() []Mutant {
	theta0, fox := "pecvt.layers.0.rotation.inv_freq", "pecvt.layers.0.bias.gate.bias"
	return []Mutant{
		inResult("cut-drops-one-more", "llama-hope", "plane 2, which turns fast enough, is dropped too", func(f *Folder) { f.keptPlanes(-1) }),
		inResult("cut-keeps-one-more", "stories-hope", "the first plane under the cut still turns", func(f *Folder) { f.keptPlanes(1) }),
		inResult("hope-not-applied", "llama-hope", "every plane turns as before", func(f *Folder) { f.keptPlanes(5) }),
		inResult("base-of-result", "llama-rope", "rope_theta is 301 instead of 300", func(f *Folder) { f.config(`"rope_theta": 300.0`, `"rope_theta": 301.0`) }),
		inResult("factor-of-one-plane", "llama-hope-longrope", "the written factor of plane 1 is 1.01", func(f *Folder) { f.planeFactor(1, "1.01") }),
		inResult("factor-of-dropped-plane", "llama-hope-longrope", "the written factor of a dropped plane is 1", func(f *Folder) { f.planeFactor(3, "1.0") }),
		inResult("long-factor-alone", "llama-hope-longrope", "plane 0's factor is 4 beyond the trained length alone", func(f *Folder) {
			f.factors("long", 0, "4.0")
		}),
		inResult("written-attention-factor", "llama-hope-longrope", "the written attention factor is 1.5", func(f *Folder) {
			f.rope(`"attention_factor": 1.0`, `"attention_factor": 1.5`)
		}),
		inResult("attention-factor-lost", "llama-yarn", "the result says that YaRN has no attention factor", func(f *Folder) {
			f.rope(`"factor": 4.0`, `"factor": 4.0, "attention_factor": 1.0`)
		}),
		inResult("yarn-factor", "llama-yarn", "the written factor is 2 instead of 4", func(f *Folder) { f.rope(`"factor": 4.0`, `"factor": 2.0`) }),
		inResult("yarn-ramp-not-rounded", "llama-yarn", "the ramp's ends are not rounded", func(f *Folder) { f.rope(`"factor": 4.0`, `"factor": 4.0, "truncate": false`) }),
		inResult("yarn-trained-length", "llama-yarn", "the written trained length is 128 instead of 32", func(f *Folder) {
			f.rope(`"original_max_position_embeddings": 32`, `"original_max_position_embeddings": 128`)
		}),
		inResult("scaling-dropped", "llama-pi", "the result's rope type is default", func(f *Folder) {
			f.rope("\"rope_type\": \"linear\",\n    \"factor\": 4.0,\n    \"original_max_position_embeddings\": 32", `"rope_type": "default"`)
			f.config(`"type": "linear"`, `"type": "default"`)
		}),
		inResult("positions-not-raised", "llama-pi", "max_position_embeddings stays 32", func(f *Folder) {
			f.config(`"max_position_embeddings": 128`, `"max_position_embeddings": 32`)
		}).still("no logit of pecvt moves; a loader cuts the context that the scaling was for"),
		inResult("extension-not-declared", "llama-hope-far", "max_position_embeddings stays 32, where layers were fitted for 128", func(f *Folder) {
			f.config(`"max_position_embeddings": 128`, `"max_position_embeddings": 32`)
		}).still("no logit of pecvt moves; a loader cuts the context that the layers were fitted for"),
		inResult("query-scale-dropped", "llama-hope-scaled", "the result says no factor of queries", func(f *Folder) { f.stockOfBlock() }),
		inResult("query-scale-beta", "llama-hope-scaled", "the written β is 0.31 instead of 0.3", func(f *Folder) { f.config(`"beta": 0.3`, `"beta": 0.31`) }),
		inResult("query-scale-unit", "llama-hope-scaled", "queries are scaled by multiples of 128 positions instead of 32", func(f *Folder) { f.config(`"length": 32`, `"length": 128`) }),
		inResult("ablation-not-removed", "llama-hope-ab3", "layer 1's query rows of removed planes are not zeroed", func(f *Folder) { f.restore("model.layers.1.self_attn.q_proj.weight") }),
		inResult("ablation-norm-not-zeroed", "qwen3-ab3", "layer 0's query norm of removed planes is not zeroed", func(f *Folder) { f.restore("model.layers.0.self_attn.q_norm.weight") }),
		inResult("ablation-removes-a-kept-plane", "llama-hope-ab3", "the query row of a kept plane is zeroed in one head", func(f *Folder) {
			f.raw("model.layers.0.self_attn.q_proj.weight", func(b []byte, _ store.Info) { clear(b[16*256 : 17*256]) })
		}),
		inResult("frequency-of-one-head", "llama-grape-m", "θ of plane 2 of key/value head 1 is 0.1 % too large", func(f *Folder) { f.scale(theta0, 10, 11, 1.001) }),
		inResult("rotation-sign", "llama-grape-m", "every plane of layer 0 turns by −θ", func(f *Folder) { f.scale(theta0, 0, 16, -1) }),
		inResult("rotation-gain", "llama-grape-m", "the written attention factor is 1.1", func(f *Folder) { f.config(`"attention_factor": 1`, `"attention_factor": 1.1`) }),
		inResult("heads-reversed", "bloom-fox", "the heads' constants are in the reverse order", func(f *Folder) { f.reversed(fox) }),
		inResult("gate-constant-sign", "bloom-fox", "c has the other sign", func(f *Folder) { f.scale(fox, 0, 4, -1) }),
		inResult("gate-not-constant", "bloom-fox", "the gates' weight is not 0", func(f *Folder) {
			f.values("pecvt.layers.1.bias.gate.weight", func(x []float64, _ store.Info) {
				for i := range x {
					x[i] = 0.05 * float64(i%7-3)
				}
			})
		}),
		inResult("slope-not-over-ln-2", "bloom-grape-a", "ω is β instead of β/ln 2", func(f *Folder) { f.scale("pecvt.layers.0.bias.omega", 0, 4, math.Ln2) }),
		inResult("slope-of-one-path", "bloom-grape-ap", "β of head 2 is that of head 1", func(f *Folder) {
			f.values("pecvt.layers.1.bias.beta", func(x []float64, _ store.Info) { x[2] = x[1] })
		}),
		inResult("slope-doubled", "llama-hybrid", "the hybrid's slopes are twice ALiBi's", func(f *Folder) { f.scale("pecvt.layers.0.bias.slope", 0, 4, 2) }),
		inResult("slopes-reversed", "llama-hybrid", "the hybrid's slopes are in the reverse order", func(f *Folder) { f.reversed("pecvt.layers.1.bias.slope") }),
		inResult("kernel-form", "llama-kerple", "the kernel is written as a logarithm", func(f *Folder) { f.config(`"kernel": "power"`, `"kernel": "log"`) }),
		inResult("kernel-r1-of-one-head", "bloom-kerple", "r1 of head 3 is 1 % too large", func(f *Folder) { f.scale("pecvt.layers.1.bias.r1", 3, 4, 1.01) }),
		inResult("kernel-fit", "bloom-kerple-log", "r2 of head 0 is 1 % off its fit", func(f *Folder) { f.scale("pecvt.layers.0.bias.r2", 0, 1, 1.01) }),
		inResult("gates-not-open", "llama-hybrid-fox", "the gates of layer 1 start at 4, which takes 0.018 per position", func(f *Folder) { f.scale("pecvt.layers.1.bias.gate.bias", 0, 4, 0.1) }),
		inResult("window-lost", "mistral", "the result has no sliding window", func(f *Folder) { f.config(`"sliding_window": 8`, `"sliding_window": null`) }),
		inResult("epsilon-of-result", "llama-hope", "rms_norm_eps is 1e-5 instead of 1e-6", func(f *Folder) { f.config(`"rms_norm_eps": 1e-06`, `"rms_norm_eps": 1e-05`) }),
		inResult("llama3-factor", "llama3", "llama3's factor is 4 instead of 8", func(f *Folder) { f.config(`"factor": 8.0`, `"factor": 4.0`) }),
	}
}

// rewriteWeightMutants get the result's weights wrong, and its graph with them.
func rewriteWeightMutants() []Mutant {
	const q0, o0 = "model.layers.0.self_attn.q_proj.weight", "model.layers.0.self_attn.o_proj.weight"
	const fused = "model.layers.0.self_attn.qkv_proj.weight"
	return []Mutant{
		inResult("rows-of-queries-alone", "llama-hope-partial", "the rows of a head's keys move, those of its queries do not", func(f *Folder) {
			queries := tensorBytes(f.source(), q0)
			f.raw(fused, func(b []byte, _ store.Info) { copy(b, queries) })
		}),
		inResult("halves-swapped-in-rows", "llama-hope-partial", "first and second coordinates of the kept planes change places in one head's queries", func(f *Folder) {
			f.rowsMoved(fused, func(i int) int {
				if i < 6 {
					return (i + 3) % 6
				}
				return i
			})
		}),
		inResult("values-move-too", "llama-hope-partial", "two rows of the values change places", func(f *Folder) {
			f.rowsMoved(fused, func(i int) int {
				switch i {
				case 96:
					return 99
				case 99:
					return 96
				}
				return i
			})
		}),
		inResult("fused-mlp-order", "llama-hope-partial", "gate and up are joined in the other order", func(f *Folder) {
			f.rowsMoved("model.layers.1.mlp.gate_up_proj.weight", func(i int) int { return (i + 96) % 192 })
		}),
		inResult("result-zeroed", "llama-hope", "k_proj of layer 1 is written as zeros", func(f *Folder) {
			f.raw("model.layers.1.self_attn.k_proj.weight", func(b []byte, _ store.Info) { clear(b) })
		}),
		inResult("result-transposed", "qwen2", "o_proj, which is square, is written transposed", func(f *Folder) { f.transpose(o0) }),
		inResult("result-layers-swapped", "stories-hope", "down_proj of layers 1 and 2 change places", func(f *Folder) {
			f.exchange("model.layers.1.mlp.down_proj.weight", "model.layers.2.mlp.down_proj.weight")
		}),
		inResult("result-rows-permuted", "llama-rope", "the rows of v_proj are one further", func(f *Folder) {
			f.rowsMoved("model.layers.0.self_attn.v_proj.weight", func(i int) int { return (i + 1) % 32 })
		}),
		inResult("result-bias-lost", "qwen2", "the bias of k_proj is written as zeros", func(f *Folder) {
			f.raw("model.layers.0.self_attn.k_proj.bias", func(b []byte, _ store.Info) { clear(b) })
		}),
		inResult("result-rounded", "llama-rope", "the embedding is rounded to bfloat16", func(f *Folder) {
			f.values("model.embed_tokens.weight", func(x []float64, _ store.Info) {
				for i := range x {
					x[i] = float64(math.Float32frombits((math.Float32bits(float32(x[i])) + 0x8000) &^ 0xffff))
				}
			})
		}),
		inResult("result-one-number", "llama-hope", "one number of an unseen token's embedding is 0.01 off", func(f *Folder) {
			f.values("model.embed_tokens.weight", func(x []float64, _ store.Info) { x[unseenToken*64+1] += 0.01 })
		}).still("no prompt of the checks holds the token: logits show it to its users alone"),
		inResult("head-untied", "llama-tied", "the head is written as a tensor of its own, of other numbers", func(f *Folder) { f.untie() }),
	}
}

// reversed reverses a vector.
func (f *Folder) reversed(name string) {
	f.values(name, func(x []float64, _ store.Info) {
		for i := range len(x) / 2 {
			x[i], x[len(x)-1-i] = x[len(x)-1-i], x[i]
		}
	})
}
