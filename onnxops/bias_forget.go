package onnxops

import (
	"fmt"
	"slices"

	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/ops"
)

// loweredForget is q̂ = [F_i, 1], k̂ = [1, −F_j], F the running sum over the
// scale as an integer and a fraction; of F_i the integer does, but beside sinks.
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
	query, ones := []*graph.Value{sum.whole}, []coordinate{unit}
	if a.Sinks != nil { // a sink's score is no key's: what softmax ignores elsewhere counts beside it
		query, ones = append(query, sum.fraction), append(ones, unit)
	}
	return added{
		query: append(query, e.coordinates("/bias/query", slots(a.Heads, share, unit, unit), nil)),
		key:   []*graph.Value{e.coordinates("/bias/one", slices.Repeat([][]coordinate{ones}, a.KVHeads), nil), side("whole", sum.whole), side("fraction", sum.fraction)},
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
