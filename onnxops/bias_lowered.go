package onnxops

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/ops"
	"github.com/pecvt/pecvt/posenc"
)

// loweredBias puts the bias into extra coordinates. Those of a query hold a term
// in i as well, though softmax ignores it: it brings the sum back to the size of
// the bias, so that only the distance's share of it is rounded. See
// [posenc.Lowering] for the algebra.
func (e *emitter) loweredBias(l *layer) added {
	a := l.attn
	switch a.Bias.Kind {
	case family.ALiBi:
		return e.loweredALiBi(l)
	case family.Gated:
		var out added
		if len(a.Bias.V) > 0 {
			e.queryRates(l, &out)
		}
		if len(a.Bias.U) > 0 {
			e.keyRates(l, &out)
		}
		return out
	}
	return e.loweredForget(l)
}

// positionKey are the coordinates of a key whose rate the query knows: 1 and
// the digits for the rate's first part, and the position for its second.
func (e *emitter) positionKey(a *family.Attention, second bool, positions *graph.Value) *graph.Value {
	row := []coordinate{unit}
	if e.digits() == 2 && positions == nil {
		row = append(row, highest, lowest)
	} else {
		row = append(row, whole)
	}
	if second {
		row = append(row, whole)
	}
	rows := make([][]coordinate, a.KVHeads)
	for i := range rows {
		rows[i] = row
	}
	name := "/bias/key"
	if !second {
		name = "/bias/key_short"
	}
	return e.coordinates(name, rows, positions)
}

// loweredALiBi is q̂ = [−β i, β, …], k̂ = [1, j, …] with β over the scale in two
// parts and j in digits; the second part is left out where β has none.
func (e *emitter) loweredALiBi(l *layer) added {
	a := l.attn
	var positions *graph.Value
	if a.Bias.RoundBF16 {
		positions = e.roundedPlaces()
	}
	second := false
	for _, s := range slopes(a) {
		_, low := splitConstant(s / a.Scale)
		second = second || low != 0
	}
	var rows [][]coordinate
	for _, s := range slopes(a) {
		high, low := splitConstant(s / a.Scale)
		row := []coordinate{whole.times(-s / a.Scale), unit.times(high)}
		if e.digits() == 2 && positions == nil {
			row = append(row, unit.times(high))
		}
		if second {
			row = append(row, unit.times(low))
		}
		rows = append(rows, row)
	}
	return added{
		query: []*graph.Value{e.coordinates("/bias/query", rows, positions)},
		key:   []*graph.Value{e.positionKey(a, second, positions)},
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

// queryRates lowers (j − i)·g_i: like ALiBi with a slope that is computed.
func (e *emitter) queryRates(l *layer, out *added) {
	a, g, prefix := l.attn, e.g, l.prefix+"/bias/query"
	rate := e.gate(l, "query", a.Bias.V, a.Scale)
	high, low := e.split(prefix, rate)
	all, _ := e.places()
	back := g.Op("Mul", prefix+"/back/Mul", []*graph.Value{rate, g.Op("Neg", prefix+"/back/Neg", []*graph.Value{all})})
	out.query = append(out.query, back, high)
	if e.digits() == 2 {
		out.query = append(out.query, high)
	}
	out.query = append(out.query, low)
	out.key = append(out.key, e.positionKey(a, true, nil))
}

// keyRates lowers (j − i)·g_j for each of the query heads that read a key:
// k̂ = [g_j, j g_j] and q̂ = [−i, 1] in digits of the positions and parts of the
// rate; a query has zeros where the other heads have theirs.
func (e *emitter) keyRates(l *layer, out *added) {
	a, g, prefix := l.attn, e.g, l.prefix+"/bias/key"
	high, low := e.split(prefix, e.gate(l, "key", a.Bias.U, a.Scale))
	all, top := e.places()
	product := func(name string, place, rate *graph.Value) *graph.Value {
		return g.Op("Mul", prefix+"/"+name+"/Mul", []*graph.Value{place, rate})
	}
	var kinds []coordinate
	if e.digits() == 2 {
		bottom := e.once("/place/low", func() *graph.Value { return g.Op("Sub", "/place/low/Sub", []*graph.Value{all, top}) })
		out.key = append(out.key, high, product("high", top, high), high, product("low", bottom, high))
		kinds = append(kinds, highest.times(-1), unit, lowest.times(-1), unit)
	} else {
		out.key = append(out.key, high, product("high", all, high))
		kinds = append(kinds, whole.times(-1), unit)
	}
	out.key = append(out.key, low, product("rest", all, low))
	kinds = append(kinds, whole.times(-1), unit)
	share := a.Heads / a.KVHeads
	rows := make([][]coordinate, a.Heads)
	for h := range rows {
		rows[h] = make([]coordinate, 0, len(kinds)*share)
		for _, kind := range kinds {
			for s := range share {
				if s == h%share {
					rows[h] = append(rows[h], kind)
				} else {
					rows[h] = append(rows[h], coordinate{})
				}
			}
		}
	}
	out.query = append(out.query, e.coordinates("/bias/query", rows, nil))
}

// loweredForget is q̂ = [F_i, 1], k̂ = [1, −F_j], F the running sum over the
// scale as an integer and a fraction.
func (e *emitter) loweredForget(l *layer) added {
	a, g, prefix := l.attn, e.g, l.prefix+"/bias/forget"
	sum := e.pathBias(l, a.Scale)
	share := a.Heads / a.KVHeads
	side := func(name string, v *graph.Value) *graph.Value { // (batch, key/value heads, sequence, share)
		if share > 1 {
			v = g.Op("Reshape", prefix+"/"+name+"/Reshape", []*graph.Value{v, e.ints(fmt.Sprintf("shared%dx%d", a.KVHeads, share), 0, int64(a.KVHeads), int64(share), -1)})
			v = g.Op("Transpose", prefix+"/"+name+"/Transpose", []*graph.Value{v}, graph.IntsAttr("perm", 0, 1, 3, 2))
		}
		return g.Op("Neg", prefix+"/"+name+"/Neg", []*graph.Value{v})
	}
	ones := make([][]coordinate, a.KVHeads)
	for i := range ones {
		ones[i] = []coordinate{unit}
	}
	slots := make([][]coordinate, a.Heads)
	for h := range slots {
		slots[h] = make([]coordinate, 2*share)
		slots[h][h%share], slots[h][share+h%share] = unit, unit
	}
	return added{
		query: []*graph.Value{sum.whole, e.coordinates("/bias/query", slots, nil)},
		key:   []*graph.Value{e.coordinates("/bias/one", ones, nil), side("whole", sum.whole), side("fraction", sum.fraction)},
	}
}

// pathSum is FoX's running sum in its parts, (batch, heads, sequence, 1).
type pathSum struct{ whole, fraction *graph.Value }

// pathBias emits FoX's running sum over unit.
func (e *emitter) pathBias(l *layer, unit float64) pathSum {
	prefix := l.prefix + "/bias/PathBias"
	past, present := e.state(l.i, "forget", l.attn.Heads, 2)
	out := e.g.Add(graph.Node{
		Domain: ops.Domain, Op: "PathBias", Name: prefix,
		In:  []*graph.Value{e.logGates(l, unit), e.real(), past},
		Out: []string{prefix + "_output_0", prefix + "_output_1", present},
	})
	e.presents = append(e.presents, out[2])
	return pathSum{whole: out[0], fraction: out[1]}
}
