package retrofit

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// BenchmarkStep is one step of calibration on a layer of a 135M model: hidden
// 576, 9 heads, 3 key/value heads of 64; with the keys that are drawn at the whole rate,
// and with all.
func BenchmarkStep(b *testing.B) {
	for _, n := range []int{512, 2048, 8192} {
		s, w, h := benchLayer(n)
		source := Turn{InvFreq: spectrum(s, 1e5, 99), Gain: 1}
		student := Turn{InvFreq: spectrum(s, 1e5, 20), Gain: 1}
		for name, factor := range map[string]float64{"drawn": 1, "all": 1e-9} {
			b.Run(fmt.Sprintf("%d/%s", n, name), func(b *testing.B) {
				rng := rand.New(rand.NewPCG(1, 2))
				fitted := w.Clone()
				p := NewPair(NewLayer(s, w, &source, n), NewLayer(s, fitted, &student, n))
				keys, grad := p.Sequence(h, n), w.NewWeights()
				a := newAdam(fitted, .02, 1000)
				for b.Loop() {
					rows := drawRows(rng, 96, n, false)
					last := rows[len(rows)-1] + 1
					p.estimate(h, keys, rows, drawSome[float32](rng, rows, chanceOf(last, factor), nearest), grad)
					a.update(grad)
				}
			})
		}
	}
}

// BenchmarkPlaneCosts is the cost of 12 planes in such a layer at 8192.
func BenchmarkPlaneCosts(b *testing.B) {
	const n = 8192
	s, w, h := benchLayer(n)
	source := Turn{InvFreq: spectrum(s, 1e5, 99), Gain: 1}
	l := NewLayer(s, w, &source, n)
	rows := drawRows(rand.New(rand.NewPCG(1, 2)), 40, n, false)
	for b.Loop() {
		PlaneCosts(l, h, rows, []int{20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31})
	}
}

func benchLayer(n int) (*Shape, *Weights[float32], []float32) {
	s := &Shape{Hidden: 576, Heads: 9, KVHeads: 3, HeadDim: 64, RotaryDim: 64, Scale: 1.0 / 8}
	rng := rand.New(rand.NewPCG(1, 1))
	fill := func(n int, width float64) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(width * rng.NormFloat64())
		}
		return x
	}
	std := 1 / math.Sqrt(576)
	return s, &Weights[float32]{Q: fill(576*576, std), K: fill(192*576, std)}, fill(n*576, 1)
}
