package onnxops

import (
	"math"
	"slices"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/posenc"
)

// loweredBias puts the bias into extra coordinates. Those of a query hold a term
// in i as well, though softmax ignores it: it brings the sum back to the size of
// the bias, so that only the distance's share of it is rounded. See
// docs/biases-in-graphs.md for how it rounds.
func (e *emitter) loweredBias(l *layer) added {
	a := l.attn
	switch a.Bias.Kind {
	case family.ALiBi:
		return e.loweredALiBi(l)
	case family.Gated:
		return e.loweredGates(l)
	}
	return e.loweredForget(l)
}

// loweredALiBi is q̂ = [−β i, β, …], k̂ = [1, j, …] with β over the scale in two
// parts and j in digits. What is exact without them goes without: powers of two
// times any position, and positions rounded to bf16 as they are.
func (e *emitter) loweredALiBi(l *layer) added {
	a := l.attn
	key := []coordinate{unit, whole}
	var positions *graph.Value
	second, powers := false, true
	for _, s := range slopes(a) {
		high, low := splitConstant(s / a.Scale)
		f, _ := math.Frexp(high)
		second, powers = second || low != 0, powers && math.Abs(f) == 0.5
	}
	if a.Bias.RoundBF16 {
		positions = e.roundedPlaces()
	} else if e.digits() == 2 && !powers {
		key = []coordinate{unit, highest, lowest}
	}
	var rows [][]coordinate
	for _, s := range slopes(a) {
		high, low := splitConstant(s / a.Scale)
		row := []coordinate{whole.times(-s / a.Scale)}
		for range key[1:] {
			row = append(row, unit.times(high))
		}
		if second {
			row = append(row, unit.times(low))
		}
		rows = append(rows, row)
	}
	if second {
		key = append(key, whole)
	}
	return added{
		query: []*graph.Value{e.coordinates("/bias/query", rows, positions)},
		key:   []*graph.Value{e.coordinates("/bias/key", slices.Repeat([][]coordinate{key}, a.KVHeads), positions)},
	}
}

// roundedPlaces are this call's positions rounded to bf16, (batch, 1, sequence, 1).
func (e *emitter) roundedPlaces() *graph.Value {
	return e.once("/place/bf16", func() *graph.Value {
		v := make([]float64, e.opts.MaxLength)
		for j := range v {
			v[j] = posenc.BFloat16.Round(float64(j))
		}
		y := e.g.Op("Gather", "/place/bf16/Gather", []*graph.Value{e.floats("bf16_positions", []int64{int64(len(v))}, v), e.positions})
		return e.g.Op("Unsqueeze", "/place/bf16/Unsqueeze", []*graph.Value{y, e.ints("axes13", 1, 3)})
	})
}
