package onnxops

import (
	"fmt"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
)

// attention emits residual + one layer's attention over x (batch*sequence,
// hidden), which has passed the layer's norm.
func (e *emitter) attention(i int, a *family.Attention, x, residual *graph.Value) *graph.Value {
	if err := e.expressible(a); err != nil {
		e.g.Fail(fmt.Errorf("layer %d: %w", i, err))
		return x
	}
	if e.opts.Attention == AttentionORT {
		return e.groupQueryAttention(i, a, x, residual)
	}
	return e.standardAttention(i, a, x, residual)
}

// cache declares layer i's past keys, of keyWidth numbers a head, and values,
// and names its present outputs.
func (e *emitter) cache(i int, a *family.Attention, keyWidth int64) (past []*graph.Value, present []string) {
	for _, kind := range []string{names.Key, names.Value} {
		width := int64(a.VDim)
		if kind == names.Key {
			width = keyWidth
		}
		shape := graph.Of(names.BatchSize, a.KVHeads, names.PastLength, width)
		past = append(past, e.g.Input(names.Past(i, kind), e.g.Computes(), shape))
		present = append(present, names.Present(i, kind))
	}
	return past, present
}

// standardAttention uses Attention of opset 23 over (batch, heads, positions,
// head size).
func (e *emitter) standardAttention(i int, a *family.Attention, x, residual *graph.Value) *graph.Value {
	g, at := e.g, func(place string) string { return names.Layer(i, place) }
	l := &layer{i: i, prefix: at(family.AtAttn), attn: a, x: x}
	if e.opts.Cache == CacheLatent {
		return e.latentAttention(l, residual)
	}
	q, k, v := e.heads(l)
	if a.KVLayer != nil {
		kv := e.kept[*a.KVLayer]
		if kv == nil {
			g.Fail(fmt.Errorf("layer %d meets keys and values of layer %d, which has none before it", i, *a.KVLayer))
			return x
		}
		name := at(names.Attention)
		y := g.Op("Attention", name, []*graph.Value{q, kv[0], kv[1], e.scoreMask(a.Window)}, scoreAttrs(a)...)
		return e.attended(l, y, residual)
	}
	if e.opts.Bias == BiasFused && a.Bias != nil {
		return e.attended(l, e.fusedAttention(l, q, k, v), residual)
	}
	add := e.bias(l)
	q, k = e.widened(at(names.Q.Heads()), q, add.query), e.widened(at(names.K.Heads()), k, add.key)
	mask := e.maskOf(a)
	if add.score != nil {
		mask = g.Op("Add", at(names.BiasMasked), []*graph.Value{mask, add.score})
	}
	width := int64(a.QKDim)
	if g.Err() == nil {
		width = k.Shape()[3].N
	}
	past, present := e.cache(i, a, width)
	name := at(names.Attention)
	v = e.marked(l, v, past[1])
	in, out := []*graph.Value{q, k, v, mask, past[0], past[1]}, []string{name + "_output_0", present[0], present[1]}
	if a.Sinks != nil {
		in, out = e.besideSinks(l, in, present), out[:1]
	}
	made := g.Add(graph.Node{Op: "Attention", Name: name, In: in, Out: out, Attrs: scoreAttrs(a)})
	e.presents = append(e.presents, made[1:]...)
	if len(made) == 3 {
		e.kept[i] = made[1:]
	}
	return e.attended(l, made[0], residual)
}

// attended emits residual + O of what the heads read, (batch, heads, sequence, head
// size), normalised and gated.
func (e *emitter) attended(l *layer, y, residual *graph.Value) *graph.Value {
	g, a, at := e.g, l.attn, l.at
	over := a.HeadNorm != nil && a.HeadNorm.Size != a.VDim // all heads together
	if !over {
		y = e.norm(at(family.AtHeadNorm), y, a.HeadNorm)
	}
	y = g.Op("Transpose", at(names.Joined)+names.Transposed, []*graph.Value{y}, graph.IntsAttr("perm", 0, 2, 1, 3))
	y = g.Op("Reshape", at(names.Joined)+names.Reshape, []*graph.Value{y, e.rows(a.Heads * a.VDim)})
	if over {
		y = e.norm(at(family.AtHeadNorm), y, a.HeadNorm)
	}
	return e.linearOnto(at(family.AtO), residual, e.outGate(l.i, a, l.x, y), a.O)
}

// scoreAttrs are the attributes of both operators that say how scores are made.
func scoreAttrs(a *family.Attention) []graph.Attr {
	attrs := []graph.Attr{graph.FloatAttr("scale", a.Scale)}
	if a.Cap > 0 {
		attrs = append(attrs, graph.FloatAttr("softcap", a.Cap))
	}
	return attrs
}

// widened puts extra coordinates before the heads v: a kernel that adds the
// products of a score in their order then meets the large ones first, while
// they cancel exactly.
func (e *emitter) widened(prefix string, v *graph.Value, extra []*graph.Value) *graph.Value {
	if len(extra) == 0 {
		return v
	}
	return e.g.Op("Concat", prefix+names.Widened, append(append([]*graph.Value(nil), extra...), v), graph.IntAttr("axis", 3))
}

// headShape is the vector [batch, sequence, heads, size].
func (e *emitter) headShape(heads, size int) *graph.Value {
	name := names.HeadShape(heads, size)
	return e.shape(name, int64(heads), int64(size))
}

// shape is the vector [batch, sequence, tail...].
func (e *emitter) shape(name string, tail ...int64) *graph.Value {
	if v := e.consts[name]; v != nil {
		return v
	}
	last := e.ints(strings.TrimPrefix(name, "/shape/"), tail...)
	v := e.g.Op("Concat", name+"/Concat", []*graph.Value{e.lengths, last}, graph.IntAttr("axis", 0))
	e.consts[name] = v
	return v
}

// rows is the constant [-1, width]: batch and sequence joined.
func (e *emitter) rows(width int) *graph.Value {
	return e.ints(fmt.Sprintf("rows%d", width), -1, int64(width))
}
