package onnxops

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
)

// besideSinks makes of the inputs of an Attention with a past those of one that also
// sees the layer's sinks: before all keys one more, whose value is 0, and before a
// head's coordinates one more, which is the head's sink over the scale in queries, 1 in
// that key and 0 in all others. So the softmax has the sink's share, nothing is added
// for it, and other scores are what they were. The cache is joined here, without it.
//
//	queries (batch, heads, sequence, 1 + d), keys (batch, kv heads, 1 + total, 1 + d),
//	values (batch, kv heads, 1 + total, d), mask (batch, 1, sequence, 1 + total)
//
// A sink in the mask would need one for each head: 1 + total times as many numbers as
// queries have, and ONNX Runtime before 1.26 takes none with fewer key/value heads.
func (e *emitter) besideSinks(l *layer, in []*graph.Value, present []string) []*graph.Value {
	g, a, prefix := e.g, l.attn, l.at(family.AtAttn)+"/sinks"
	if g.Err() != nil {
		return in
	}
	g.DefineSum(graph.Sym("sink_and_"+names.TotalLength), graph.Sym(names.TotalLength), graph.Fixed(1))
	grown := func(node string, past, now *graph.Value, name string) *graph.Value {
		v := g.Add(graph.Node{Op: "Concat", Name: l.at(node), In: []*graph.Value{past, now}, Out: []string{name}, Attrs: []graph.Attr{graph.IntAttr("axis", 2)}})[0]
		e.presents = append(e.presents, v)
		return v
	}
	d := in[0].Shape()[3].N
	sinks := g.Op("Div", prefix+"/Div", []*graph.Value{e.weights.float32(*a.Sinks), e.scalar(fmt.Sprintf("score_scale_%v", a.Scale), a.Scale)})
	sinks = g.Op("Reshape", prefix+"/Reshape", []*graph.Value{sinks, e.ints(fmt.Sprintf("sinks%d", a.Heads), 1, int64(a.Heads), 1, 1)})
	sinks = e.padded(prefix+"/Pad", sinks, 0, 0, 0, 0, 0, 0, 0, d)
	q := g.Op("Add", l.at(names.QueriesWithSinks), []*graph.Value{e.padded(l.at(names.QueriesPadded), in[0], 0, 0, 0, 1, 0, 0, 0, 0), sinks})
	k := e.padded(l.at(names.KeysPadded), grown(names.KeysGrown, in[4], in[1], present[0]), 0, 0, 1, 1, 0, 0, 0, 0)
	first := make([]float64, 1+d)
	first[0] = 1
	k = g.Op("Where", l.at(names.KeysBesideSinks), []*graph.Value{e.sinkPlace(), e.floats(fmt.Sprintf("sink_key%d", d), []int64{1 + d}, first), k})
	v := e.padded(prefix+"/v/Pad", grown(names.ValuesGrown, in[5], in[2], present[1]), 0, 0, 1, 0, 0, 0, 0, 0)
	mask := e.once("/sinks/mask/"+in[3].Name(), func() *graph.Value {
		return e.padded(in[3].Name()+names.BesideSinks, in[3], 0, 0, 0, 1, 0, 0, 0, 0)
	})
	return []*graph.Value{q, k, v, mask}
}

// padded puts zeros before and after each of four axes.
func (e *emitter) padded(node string, x *graph.Value, pads ...int64) *graph.Value {
	return e.g.Op("Pad", node, []*graph.Value{x, e.ints(fmt.Sprint("pads", pads), pads...)})
}

// sinkPlace marks the key that stands for sinks, (1 + total, 1).
func (e *emitter) sinkPlace() *graph.Value {
	return e.once("/sinks/place", func() *graph.Value {
		keys := e.g.Op("Concat", "/sinks/keys/Concat", []*graph.Value{e.ints("before_all", -1), e.maskBase().key}, graph.IntAttr("axis", 0))
		keys = e.g.Op("Unsqueeze", "/sinks/keys/Unsqueeze", []*graph.Value{keys, e.ints("axis1", 1)})
		return e.g.Op("Less", "/sinks/place/Less", []*graph.Value{keys, e.int64Scalar("0", 0)})
	})
}
