package onnxops

import (
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
)

// besideSinks makes of the inputs of an Attention with a past those of one that also
// sees the layer's sinks: before all keys one more, whose product with any query and
// whose value are 0, and the sink in the place of its mask. So the softmax has the
// sink's share, and nothing is added for it. The cache is joined here, without it.
//
//	keys (batch, kv heads, 1 + total, d), values likewise, mask (batch, heads, sequence, 1 + total)
func (e *emitter) besideSinks(l *layer, in []*graph.Value, present []string) []*graph.Value {
	g, prefix := e.g, l.at(family.AtAttn)+"/sinks"
	e.g.DefineSum(graph.Sym("sink_and_"+names.TotalLength), graph.Sym(names.TotalLength), graph.Fixed(1))
	padded := func(node string, x *graph.Value) *graph.Value {
		return g.Op("Pad", node, []*graph.Value{x, e.ints("before_axis2", 0, 0, 1, 0, 0, 0, 0, 0)})
	}
	grown := func(node string, past, now *graph.Value, name string) *graph.Value {
		v := g.Add(graph.Node{Op: "Concat", Name: l.at(node), In: []*graph.Value{past, now}, Out: []string{name}, Attrs: []graph.Attr{graph.IntAttr("axis", 2)}})[0]
		e.presents = append(e.presents, v)
		return v
	}
	k := padded(l.at(names.KeysBesideSinks), grown(names.KeysGrown, in[4], in[1], present[0]))
	v := padded(prefix+"/v/Pad", grown(names.ValuesGrown, in[5], in[2], present[1]))
	sinks := e.weights.float32(*l.attn.Sinks)
	sinks = g.Op("Reshape", prefix+"/Reshape", []*graph.Value{sinks, e.ints("heads_of_scores", 1, int64(l.attn.Heads), 1, 1)})
	mask := e.once("/sinks/mask/"+in[3].Name(), func() *graph.Value {
		return g.Op("Pad", in[3].Name()+"/beside_sinks/Pad", []*graph.Value{in[3], e.ints("before_axis3", 0, 0, 0, 1, 0, 0, 0, 0)})
	})
	mask = g.Op("Where", l.at(names.SinksMasked), []*graph.Value{e.sinkPlace(), sinks, mask})
	return []*graph.Value{in[0], k, v, mask}
}

// sinkPlace marks the key that stands for sinks, (1 + total).
func (e *emitter) sinkPlace() *graph.Value {
	return e.once("/sinks/place", func() *graph.Value {
		keys := e.g.Op("Concat", "/sinks/keys/Concat", []*graph.Value{e.ints("before_all", -1), e.maskBase().key}, graph.IntAttr("axis", 0))
		return e.g.Op("Less", "/sinks/place/Less", []*graph.Value{keys, e.int64Scalar("0", 0)})
	})
}
