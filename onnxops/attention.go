package onnxops

import (
	"fmt"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/ops"
	"github.com/pecvt/pecvt/posenc"
)

// attention emits residual + one layer's attention over x (batch*sequence,
// hidden), which has passed the layer's norm.
func (e *emitter) attention(i int, a *family.Attention, x, residual *graph.Value) *graph.Value {
	if err := e.expressible(a); err != nil {
		e.g.Fail(fmt.Errorf("layer %d: %w", i, err))
		return residual
	}
	if e.opts.Attention == AttentionORT {
		return e.groupQueryAttention(i, a, x, residual)
	}
	return e.standardAttention(i, a, x, residual)
}

// cache declares layer i's past inputs and names its present outputs.
func (e *emitter) cache(i int, a *family.Attention) (past []*graph.Value, present []string) {
	shape := graph.Of("batch", a.KVHeads, "past", a.HeadDim)
	for _, kind := range []string{"key", "value"} {
		past = append(past, e.g.Input(fmt.Sprintf("past_key_values.%d.%s", i, kind), graph.Float, shape))
		present = append(present, fmt.Sprintf("present.%d.%s", i, kind))
	}
	return past, present
}

// standardAttention uses Attention of opset 23 over (batch, heads, positions,
// head size).
func (e *emitter) standardAttention(i int, a *family.Attention, x, residual *graph.Value) *graph.Value {
	g, prefix := e.g, fmt.Sprintf("/layers.%d/attn", i)
	past, present := e.cache(i, a)
	heads := func(part string, n int, l family.Linear, norm *family.Norm) *graph.Value {
		p := prefix + "/" + part
		v := e.linear(p+"_proj", x, l)
		v = g.Op("Reshape", p+"/Reshape", []*graph.Value{v, e.headShape(n, a.HeadDim)})
		if norm != nil && !a.NormAfter {
			v = e.norm(p+"_norm", v, norm)
		}
		return g.Op("Transpose", p+"/Transpose", []*graph.Value{v}, graph.IntsAttr("perm", 0, 2, 1, 3))
	}
	turned := func(part string, n int, l family.Linear, norm *family.Norm) *graph.Value {
		v := e.rotate(prefix+"/"+part, heads(part, n, l, norm), a.Rotary)
		if norm != nil && a.NormAfter {
			v = e.norm(prefix+"/"+part+"_norm", v, norm)
		}
		return v
	}
	q := turned("q", a.Heads, a.Q, a.QNorm)
	k := turned("k", a.KVHeads, a.K, a.KNorm)
	v := heads("v", a.KVHeads, a.V, nil)
	name := prefix + "/Attention"
	out := g.Add(graph.Node{
		Op: "Attention", Name: name,
		In:    []*graph.Value{q, k, v, e.scoreMask(a.Window), past[0], past[1]},
		Out:   []string{name + "_output_0", present[0], present[1]},
		Attrs: []graph.Attr{graph.FloatAttr("scale", a.Scale)},
	})
	e.presents = append(e.presents, out[1:]...)
	y := out[0]
	if a.HeadNorm != nil {
		y = e.norm(prefix+"/head_norm", y, a.HeadNorm)
	}
	y = g.Op("Transpose", prefix+"/out/Transpose", []*graph.Value{y}, graph.IntsAttr("perm", 0, 2, 1, 3))
	y = g.Op("Reshape", prefix+"/out/Reshape", []*graph.Value{y, e.rows(a.Heads * a.HeadDim)})
	return e.linearOnto(prefix+"/o_proj", residual, y, a.O)
}

// rotate turns heads x (batch, heads, sequence, head size) by the positions of
// this call.
func (e *emitter) rotate(prefix string, x *graph.Value, r posenc.Rotary) *graph.Value {
	if r.Dim == 0 {
		return x
	}
	t := e.tables(r)
	interleaved := 0
	if r.Pairing == posenc.Interleaved {
		interleaved = 1
	}
	return e.g.Add(graph.Node{
		Domain: ops.Domain, Op: "Rotation", Name: prefix + "/Rotation",
		In: []*graph.Value{x, t.cos, t.sin},
		Attrs: []graph.Attr{
			graph.IntAttr("interleaved", interleaved),
			graph.IntAttr("rotary_embedding_dim", r.Dim),
		},
	})[0]
}

// headShape is the vector [batch, sequence, heads, size].
func (e *emitter) headShape(heads, size int) *graph.Value {
	name := fmt.Sprintf("/shape/heads%dx%d", heads, size)
	return e.shape(name, int64(heads), int64(size))
}

// shape is the vector [batch, sequence, tail...], with the guard in it.
func (e *emitter) shape(name string, tail ...int64) *graph.Value {
	if v := e.consts[name]; v != nil {
		return v
	}
	last := e.ints(strings.TrimPrefix(name, "/shape/"), tail...)
	v := e.g.Op("Concat", name+"/Concat", []*graph.Value{e.lengths, e.guarded, last}, graph.IntAttr("axis", 0))
	e.consts[name] = v
	return v
}

// rows is the constant [-1, width]: batch and sequence joined.
func (e *emitter) rows(width int) *graph.Value {
	return e.ints(fmt.Sprintf("rows%d", width), -1, int64(width))
}
