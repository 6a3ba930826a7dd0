package onnxops

import (
	"slices"

	"github.com/pecvt/pecvt/onnxops/graph"
)

// stage is one step of a score's sum: coordinates of queries and keys whose
// products belong together.
type stage struct{ query, key []*graph.Value }

// loweredGates lowers (j − i)·(g_i + g_j), or one gate alone. Rates are split
// into a part of 12 bits and the rest, positions into digits; the products of
// the parts with the high digits come first, then those with the low ones, then
// the rests, the query's before the key's in each: what is summed so far is then
// a multiple of what the next large products are rounded to, and they cancel
// exactly (but where one gate is below 2^-5 of the other).
func (e *emitter) loweredGates(l *layer) added {
	var query, key []stage
	if len(l.attn.Bias.V) > 0 {
		query = e.queryRates(l)
	}
	if len(l.attn.Bias.U) > 0 {
		key = e.keyRates(l)
	}
	var out added
	for i := range max(len(query), len(key)) {
		for _, side := range [][]stage{query, key} {
			if i < len(side) {
				out.query = append(out.query, side[i].query...)
				out.key = append(out.key, side[i].key...)
			}
		}
	}
	return out
}

// digitPlaces are the digits of this call's positions, the high one first.
func (e *emitter) digitPlaces() (names []string, places []*graph.Value, kinds []coordinate) {
	if e.digits() == 1 {
		return []string{"low"}, []*graph.Value{e.place()}, []coordinate{whole}
	}
	high := e.highPlace()
	low := e.once("/place/low", func() *graph.Value { return e.g.Op("Sub", "/place/low/Sub", []*graph.Value{e.place(), high}) })
	return []string{"high", "low"}, []*graph.Value{high, low}, []coordinate{highest, lowest}
}

// queryRates lowers (j − i)·g_i: q̂ = [−i g_i, g_i], k̂ = [1, j] for each digit.
func (e *emitter) queryRates(l *layer) (list []stage) {
	a, g, prefix := l.attn, e.g, l.prefix+"/bias/query"
	rate, rest := e.split(prefix, e.gate(l, "query", a.Bias.V, a.Scale))
	keys := func(row ...coordinate) *graph.Value {
		return e.coordinates("/bias/key", slices.Repeat([][]coordinate{row}, a.KVHeads), nil)
	}
	back := g.Op("Neg", prefix+"/back/Neg", []*graph.Value{rate})
	names, places, kinds := e.digitPlaces()
	for d, place := range places {
		term := g.Op("Mul", prefix+"/"+names[d]+"/Mul", []*graph.Value{place, back})
		list = append(list, stage{query: []*graph.Value{term, rate}, key: []*graph.Value{keys(unit, kinds[d])}})
	}
	if a.Sinks == nil {
		return append(list, stage{query: []*graph.Value{rest}, key: []*graph.Value{keys(whole)}})
	}
	// a sink's score is no key's: what softmax ignores elsewhere counts beside it
	term := g.Op("Mul", prefix+"/rest/Mul", []*graph.Value{e.place(), g.Op("Neg", prefix+"/rest/Neg", []*graph.Value{rest})})
	return append(list, stage{query: []*graph.Value{term, rest}, key: []*graph.Value{keys(unit, whole)}})
}

// keyRates lowers (j − i)·g_j for each of the query heads that read a key:
// q̂ = [−i, 1], k̂ = [g_j, j g_j] for each digit; a query has zeros where the
// other heads have theirs.
func (e *emitter) keyRates(l *layer) (list []stage) {
	a, g, prefix := l.attn, e.g, l.prefix+"/bias/key"
	rate, rest := e.split(prefix, e.gate(l, "key", a.Bias.U, a.Scale))
	queries := func(kind coordinate) *graph.Value {
		return e.coordinates("/bias/query", slots(a.Heads, a.Heads/a.KVHeads, kind.times(-1), unit), nil)
	}
	add := func(name string, place, rate *graph.Value, kind coordinate) {
		term := g.Op("Mul", prefix+"/"+name+"/Mul", []*graph.Value{place, rate})
		list = append(list, stage{query: []*graph.Value{queries(kind)}, key: []*graph.Value{rate, term}})
	}
	names, places, kinds := e.digitPlaces()
	for d, place := range places {
		add(names[d], place, rate, kinds[d])
	}
	add("rest", e.place(), rest, whole)
	return list
}

// slots are rows of coordinates for heads that read one key in groups of share:
// for each kind share coordinates, of which a head has its own.
func slots(heads, share int, kinds ...coordinate) [][]coordinate {
	rows := make([][]coordinate, heads)
	for h := range rows {
		rows[h] = make([]coordinate, len(kinds)*share)
		for i, kind := range kinds {
			rows[h][i*share+h%share] = kind
		}
	}
	return rows
}
