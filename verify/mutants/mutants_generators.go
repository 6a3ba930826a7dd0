package mutants

import (
	"math"

	"github.com/pecvt/pecvt/convert/store"
)

// generatorMutants get rotations wrong whose heads have generators of their own.
func generatorMutants() []Mutant {
	const bases, keys = "/layers.1/attn/bases", "/layers.1/attn/k_basis/MatMul"
	of := func(layer, name string) string { return "pecvt.layers." + layer + ".rotation." + name }
	return []Mutant{
		inGraph("basis-order", "llama-mixed", "two coordinates of a head change places in its basis", func(g *Graph) {
			g.table(bases, func(row, column int, x float64) float64 {
				if row < 2 && column < 2 {
					return 1 - x // of the identity
				}
				return x
			})
		}),
		inGraph("basis-sign-of-keys", "llama-basis", "keys of layer 1 have the negative of their basis", func(g *Graph) { g.feed(keys, 1, "Neg", nil) }),
		inGraph("basis-number", "qwen3-dense", "one number of a basis is 0.999 instead of 1", func(g *Graph) {
			g.table(bases, func(row, column int, x float64) float64 {
				if row == 5 && column == 5 {
					return 0.999
				}
				return x
			})
		}),
		inResult("generator-sign", "llama-mixed", "the learned planes of layer 0 turn by −θ", func(f *Folder) {
			f.values(of("0", "generator"), func(x []float64, _ store.Info) {
				for i := range x {
					x[i] = -x[i]
				}
			})
		}),
		inResult("frame-order", "llama-mixed", "two columns of a head's frame change places", func(f *Folder) {
			f.values(of("1", "frame"), func(x []float64, info store.Info) {
				r := int(info.Shape[2])
				for i := 0; i < len(x)/2; i += r {
					x[i], x[i+1] = x[i+1], x[i]
				}
			})
		}),
		inResult("basis-turned", "llama-basis", "a head's basis is turned by 0.1 in two of its coordinates", func(f *Folder) {
			f.values(of("1", "basis"), func(x []float64, _ store.Info) {
				c, s := math.Cos(0.1), math.Sin(0.1)
				x[0], x[1], x[16], x[17] = c, -s, s, c
			})
		}),
		inResult("rank2-exchanged", "llama-rank2", "a and b of layer 0 change places, so that its planes turn by −θ", func(f *Folder) { f.exchange(of("0", "a"), of("0", "b")) }),
		inResult("generator-element", "qwen3-dense", "one element of a generator is 0.01 instead of 0", func(f *Folder) {
			f.values(of("1", "generator"), func(x []float64, _ store.Info) { x[0] += 0.01 })
		}),
	}
}
