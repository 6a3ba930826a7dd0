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
	if a.Sinks != nil && (second || !powers) {
		return e.wholeALiBi(l, positions)
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

// wholeALiBi is loweredALiBi beside sinks, whose score is no key's: what softmax ignores
// elsewhere counts there, so the term in i has the parts and digits of the one in j. It is
// q̂ = [−β₁ i, β₁], k̂ = [1, j] for each digit of positions, or for rounded ones, and
// q̂ = [−β₂ i, β₂], k̂ = [1, j] last: the products are exact but for those of β₂.
func (e *emitter) wholeALiBi(l *layer, rounded *graph.Value) (out added) {
	a := l.attn
	places := []*graph.Value{rounded}
	if rounded == nil {
		_, places, _ = e.digitPlaces()
	}
	add := func(place *graph.Value, part func(high, low float64) float64) {
		var rows [][]coordinate
		for _, s := range slopes(a) {
			p := part(splitConstant(s / a.Scale))
			rows = append(rows, []coordinate{whole.times(-p), unit.times(p)})
		}
		out.query = append(out.query, e.coordinates("/bias/query", rows, place))
		out.key = append(out.key, e.coordinates("/bias/key", slices.Repeat([][]coordinate{{unit, whole}}, a.KVHeads), place))
	}
	for _, place := range places {
		add(place, func(high, _ float64) float64 { return high })
	}
	add(rounded, func(_, low float64) float64 { return low })
	return out
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
