package mutants

import (
	"math"

	"github.com/pecvt/pecvt/onnxops/headtables"
	"github.com/pecvt/pecvt/onnxops/names"
)

// llamaTheta is the inverse frequency of plane p in golden/llama-gqa: base 300,
// heads of 16.
func llamaTheta(p int) float64 { return math.Pow(300, -2*float64(p)/16) }

// rotaryMutants get the rotation of a graph wrong.
func rotaryMutants() []Mutant {
	const q0, k0, q1, k1 = "/layers.0/attn/q/Rotation", "/layers.0/attn/k/Rotation", "/layers.1/attn/q/Rotation", "/layers.1/attn/k/Rotation"
	cos, sin := "/rotary/cos_table", "/rotary/sin_table"
	return []Mutant{
		inGraph("sin-sign", "llama-hope", "every sine has the other sign", func(g *Graph) {
			g.table(sin, func(_, _ int, x float64) float64 { return -x })
		}),
		inGraph("sin-sign-keys", "llama-hope", "keys of layer 0 turn the other way", func(g *Graph) {
			g.feed(k0, 2, "Neg", nil)
		}),
		inGraph("cos-for-sin", "stories-hope", "cos and sin change places in a layer's queries", func(g *Graph) { g.swap(q1, 1, 2) }),
		inGraph("theta-of-one-plane", "llama-hope", "θ of plane 1 is 0.1 % too large", func(g *Graph) {
			g.tables(func(row, p int, old float64) float64 {
				if p == 1 {
					return 1.001 * llamaTheta(1) * float64(row)
				}
				return old
			}, 1)
		}),
		inGraph("theta-of-slowest-plane", "llama-rope", "the slowest plane stops turning", func(g *Graph) {
			g.tables(func(_, p int, old float64) float64 {
				if p == 7 {
					return 0
				}
				return old
			}, 1)
		}),
		inGraph("base", "llama-rope", "the base is 10000 instead of 300", func(g *Graph) {
			g.tables(func(row, p int, _ float64) float64 { return math.Pow(10000, -2*float64(p)/16) * float64(row) }, 1)
		}),
		inGraph("base-of-partial", "neox", "θ counts planes of the whole head instead of the rotary part", func(g *Graph) {
			g.tables(func(row, p int, old float64) float64 {
				if p == 1 {
					return math.Pow(10000, -2.0/16) * float64(row)
				}
				return old
			}, 1)
		}),
		inGraph("dropped-plane-turns", "llama-hope", "the first dropped plane still turns", func(g *Graph) {
			g.tables(func(row, p int, old float64) float64 {
				if p == 3 {
					return llamaTheta(3) * float64(row)
				}
				return old
			}, 1)
		}),
		inGraph("tables-one-row-off", "llama-hope", "row t holds position t + 1", func(g *Graph) {
			g.tables(func(row, p int, old float64) float64 {
				if p > 2 {
					return old
				}
				return llamaTheta(p) * float64(row+1)
			}, 1)
		}).still("attention sees differences of positions: not a logit moves; a cache filled by a right graph is read one position off"),
		inGraph("keys-one-position-off", "llama-hope", "keys of layer 0 turn by the position after theirs", func(g *Graph) {
			next := g.before(k0, "Add", []string{"position_ids", g.ints(1)})
			c := g.before(k0, "Gather", []string{cos, next})
			s := g.before(k0, "Gather", []string{sin, next})
			g.node(k0).Input[1], g.node(k0).Input[2] = c, s
		}),
		inGraph("last-row", "llama-hope", "the last row of sines is 0", func(g *Graph) {
			g.table(sin, func(row, _ int, x float64) float64 {
				if row == defaultMaxLength-1 {
					return 0
				}
				return x
			})
		}),
		inGraph("positions-counted-from-0", "llama-hope", "the tables are read by column, not by position_ids", func(g *Graph) {
			for _, t := range []string{"/rotary/cos/Gather", "/rotary/sin/Gather"} {
				one := g.before(t, "ConstantOfShape", []string{"/lengths/Shape_output_0"})
				length := g.before(t, "Shape", []string{one}, intAttribute("start", 1), intAttribute("end", 2))
				last := g.before(t, "Squeeze", []string{length, "/const/axis0"})
				zero, step := g.scalar(0), g.scalar(1)
				count := g.before(t, "Range", []string{zero, last, step})
				like := g.before(t, "ConstantOfShape", []string{"/lengths/Shape_output_0"})
				whole := g.before(t, "Cast", []string{like}, intAttribute("to", 7))
				g.node(t).Input[1] = g.before(t, "Add", []string{whole, count})
			}
		}),
		inGraph("swapped-halves", "llama-hope", "queries of layer 0 are paired (2p, 2p+1)", func(g *Graph) { attribute(g.node(q0), "interleaved").I = 1 }),
		inGraph("swapped-halves-everywhere", "llama-rope", "queries and keys of both layers are paired (2p, 2p+1)", func(g *Graph) {
			for _, n := range []string{q0, k0, q1, k1} {
				attribute(g.node(n), "interleaved").I = 1
			}
		}),
		inGraph("query-not-rotated", "stories-hope", "queries of layer 1 do not turn", func(g *Graph) { g.bypass(q1) }),
		inGraph("key-not-rotated", "qwen2", "keys of layer 1 do not turn", func(g *Graph) { g.bypass(k1) }),
		inGraph("no-position", "mistral", "nothing turns in any layer", func(g *Graph) {
			for _, n := range []string{q0, k0, q1, k1} {
				g.bypass(n)
			}
		}),
		inGraph("rotates-the-unrotated", "smollm3", "layer 1, which has no rotation, turns", func(g *Graph) {
			for _, n := range []string{"q", "k"} {
				at := "/layers.1/attn/Attention"
				in := map[string]int{"q": 0, "k": 1}[n]
				like := g.node("/layers.0/attn/" + n + "/Rotation")
				g.feed(at, in, "Rotation", like.Input[1:], like.Attribute...)
				turned := g.model.Graph.Node[g.position(at)-1]
				turned.Domain = like.Domain
			}
		}),
		inGraph("attention-factor-missing", "llama-yarn", "cos and sin are not multiplied by YaRN's attention factor", func(g *Graph) {
			g.tables(func(_, _ int, old float64) float64 { return old }, 1/(0.1*math.Log(4)+1))
		}),
		inGraph("attention-factor-twice", "llama-yarn", "cos and sin are multiplied by the attention factor twice", func(g *Graph) {
			g.tables(func(_, _ int, old float64) float64 { return old }, 0.1*math.Log(4)+1)
		}),
		inGraph("yarn-dropped", "llama-yarn", "the planes turn as without YaRN, the attention factor stays", func(g *Graph) {
			g.tables(func(row, p int, _ float64) float64 { return llamaTheta(p) * float64(row) }, 1)
		}),
		inGraph("pi-dropped", "llama-pi", "positions are not divided by 4", func(g *Graph) {
			g.tables(func(row, p int, _ float64) float64 { return llamaTheta(p) * float64(row) }, 1)
		}),
		inGraph("llama3-dropped", "llama3", "llama3's scaling is not applied", func(g *Graph) {
			g.tables(func(row, p int, _ float64) float64 { return math.Pow(500, -2*float64(p)/16) * float64(row) }, 1)
		}),
		inGraph("tables-in-bf16", "llama-rope", "the tables are rounded to bfloat16", func(g *Graph) {
			for _, name := range []string{cos, sin} {
				g.table(name, func(_, _ int, x float64) float64 {
					return float64(math.Float32frombits((math.Float32bits(float32(x)) + 0x8000) &^ 0xffff))
				})
			}
		}),
		inGraph("rotation-after-norm", "grape-m", "queries and keys are normalised before they turn, not after", func(g *Graph) {
			for _, n := range []string{"/layers.0/attn/q", "/layers.0/attn/k"} {
				g.exchange(n+"/Reshape_output_0", n+"_norm/RMSNormalization", n+"/Transpose", n+"/unfold/Reshape")
			}
		}),
		inGraph("rotation-before-norm", "qwen3-hope", "queries and keys of layer 0 turn before they are normalised", func(g *Graph) {
			for _, n := range []string{"/layers.0/attn/q", "/layers.0/attn/k"} {
				g.normLast(n)
			}
		}),
		inGraph("heads-share-a-spectrum", "grape-m", "head 1 turns by head 0's frequencies", func(g *Graph) {
			for _, path := range headtables.Paths() {
				first := map[int]float64{} // head 0's in a row
				g.doubles("/rotary_heads"+path, func(head, column int, x float64) float64 {
					switch head {
					case 0:
						first[column] = x
					case 1:
						return first[column]
					}
					return x
				})
			}
		}),
		inGraph("layers-share-a-spectrum", "grape-m", "layer 1 reads layer 0's tables", func(g *Graph) {
			for _, n := range []string{"q", "k"} {
				turn := g.node("/layers.1/attn/" + n + "/Rotation")
				turn.Input[1], turn.Input[2] = names.HeadPart(names.RotaryHeads, 0, false), names.HeadPart(names.RotaryHeads, 0, true)
			}
		}),
		inGraph("position-of-its-step", "grape-m", "a position turns by the first of its step alone", func(g *Graph) {
			g.feed("/rotary_heads/near_cos/Gather", 1, "Sub", []string{names.Near + "_output_0"})
			g.feed("/rotary_heads/near_sin/Gather", 1, "Sub", []string{names.Near + "_output_0"})
		}),
		inGraph("sum-of-angles-sign", "grape-m", "the sine of a sum of angles is that of their difference", func(g *Graph) { g.node("/rotary_heads/sin/Add").OpType = "Sub" }),
		inGraph("one-past-the-tables", "bloom", "a position past the last one is no error", func(g *Graph) { g.number("/const/last_position", 1<<40) }).
			still("no logit within the tables moves; past them the graph goes on where it must stop"),
	}
}
