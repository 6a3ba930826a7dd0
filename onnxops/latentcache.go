package onnxops

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/headtables"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/posenc/hint"
)

// latentCached says why a layer's cache cannot hold latents in the place of keys and
// values.
func latentCached(a *family.Attention) error {
	const advice = "; use " + hint.Cache + " full"
	if a.Latent == nil {
		return unsupported("a cache of latents for attention whose keys and values are made of none" + advice)
	}
	if a.Spectra != nil && !headtables.Agree(a.Spectra.InvFreq) {
		return unsupported("a cache of latents where heads turn the slice that they share by spectra of their own" + advice)
	}
	for _, part := range []struct {
		has  bool
		name string
	}{{a.Phase != nil, "a contextual phase"}, {a.Bias != nil, "an additive bias"}, {a.Sinks != nil, "sinks"}, {a.KShift != nil || a.VShift != nil, "shifted keys or values"},
		{a.KNorm != nil || a.VNorm != nil, "norms of keys or values"}, {a.Clip != 0 || a.ValueScale != 0, "clipped heads or scaled values"}, {a.KVLayer != nil, "keys and values of another layer"}} {
		if part.has {
			return unsupported("a cache of latents beside %s, which is of each head's keys or values"+advice, part.name)
		}
	}
	return nil
}

// latentAttention emits residual + latent attention whose cache holds, of a token, the
// turned slice s of all keys and the normalised latent c of keys and values,
//
//	[s; c]   (batch, 1, positions, Turned + rank)
//
// and no head's key or value; see [family.Attention.Absorbed].
func (e *emitter) latentAttention(l *layer, residual *graph.Value) *graph.Value {
	g, a, at := e.g, l.attn, l.at
	m := a.Latent
	rank, still := int(m.KVDown.Weight.Shape[0]), a.QKDim-m.Turned
	t := e.turning(l)
	l.token = map[string]func() *graph.Value{}
	kv := e.lowRank(l)
	q := e.headPart(l, names.Q, a.Heads, a.Q, nil, nil, func() turning { return t })
	if g.Err() != nil {
		return l.x
	}
	sizes := e.ints(fmt.Sprintf("turned%d_still%d", m.Turned, still), int64(m.Turned), int64(still))
	split := g.Add(graph.Node{Op: "Split", Name: at(names.QSplit), In: []*graph.Value{q, sizes}, Out: []string{at(names.QSplit) + "_output_0", at(names.QSplit) + "_output_1"},
		Attrs: []graph.Attr{graph.IntAttr("axis", 3)}})
	if g.Err() != nil {
		return l.x
	}
	q = g.Op("MatMul", names.Node(at(names.K.Proj()), "MatMul"), []*graph.Value{split[1], e.eachHead(a.K.Weight, a.Heads, still, rank)})
	q = g.Op("Concat", at(names.QAbsorbed), []*graph.Value{split[0], q}, graph.IntAttr("axis", 3))

	kv = g.Op("Reshape", at(names.KVJoined)+names.Reshape, []*graph.Value{kv, e.headShape(1, rank)})
	kv = g.Op("Transpose", at(names.KVJoined)+names.Transposed, []*graph.Value{kv}, graph.IntsAttr("perm", 0, 2, 1, 3))
	width := int64(rank + m.Turned)
	past := g.Input(names.Past(l.i, names.Latent), g.Computes(), graph.Of(names.BatchSize, 1, names.PastLength, width))
	slice := e.sharedSlice(l)
	if t.cos != nil {
		alone := *a
		alone.QKDim, alone.Rotary.HeadDim = m.Turned, m.Turned
		slice = e.rotate(at(names.K.Heads()), slice, 1, &alone, t)
	}
	kv = g.Op("Concat", names.Node(at(names.KVJoined), "Concat"), []*graph.Value{slice, kv}, graph.IntAttr("axis", 3))
	kv = e.marked(l, kv, past)
	all := g.Add(graph.Node{Op: "Concat", Name: at(names.LatentsGrown), In: []*graph.Value{past, kv}, Out: []string{names.Present(l.i, names.Latent)}, Attrs: []graph.Attr{graph.IntAttr("axis", 2)}})
	e.presents = append(e.presents, all...)
	values := e.slice(at(names.LatentValues), all[0], 3, int64(m.Turned), width)
	y := g.Op("Attention", at(names.Attention), []*graph.Value{q, all[0], values, e.maskOf(a)}, scoreAttrs(a)...)
	w := g.Op("Transpose", at(names.V.Proj())+"/weight"+names.Transposed, []*graph.Value{e.eachHead(a.V.Weight, a.Heads, a.VDim, rank)}, graph.IntsAttr("perm", 0, 2, 1))
	y = g.Op("MatMul", names.Node(at(names.V.Proj()), "MatMul"), []*graph.Value{y, w})
	return e.attended(l, y, residual)
}

// eachHead is a weight of (heads·out, in) as (heads, out, in).
func (e *emitter) eachHead(w family.Weight, heads, out, in int) *graph.Value {
	v := e.weights.float32(w)
	if e.g.Err() != nil {
		return v
	}
	return e.once("/each_head/"+v.Name(), func() *graph.Value {
		return e.g.Op("Reshape", "/each_head/"+v.Name()+names.Reshape, []*graph.Value{v, e.ints(fmt.Sprintf("each%dx%dx%d", heads, out, in), int64(heads), int64(out), int64(in))})
	})
}
