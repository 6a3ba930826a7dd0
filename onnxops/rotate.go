package onnxops

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/ops"
	"github.com/pecvt/pecvt/posenc"
)

// turning is one layer's cosines and sines: (batch, sequence, planes), or with
// more than one group of heads (batch*groups, sequence, planes). Nil values
// turn nothing.
type turning struct {
	cos, sin *graph.Value
	groups   int
}

// turning makes the layer's cosines and sines.
func (e *emitter) turning(l *layer) turning {
	defer e.g.Wide()()
	a := l.attn
	if a.Phase != nil {
		return e.phaseTurning(l)
	}
	if a.Rotary.Dim == 0 {
		return turning{}
	}
	if a.Spectra == nil {
		t := e.tables(a.Rotary)
		return turning{t.cos, t.sin, 1}
	}
	if len(a.Spectra.InvFreq) != a.KVHeads {
		e.g.Fail(fmt.Errorf("layer %d: %d spectra for %d key/value heads", l.i, len(a.Spectra.InvFreq), a.KVHeads))
		return turning{}
	}
	return e.headTurning(a)
}

// rotaryDim is the attribute rotary_embedding_dim of a rotation that turns the
// first dim of size coordinates: 0, the operator's default, where it turns all of
// them. RotaryEmbedding of ONNX Runtime 1.23.2 refuses any other number without
// num_heads, which it has no use for.
func rotaryDim(dim, size int) int {
	if dim == size {
		return 0
	}
	return dim
}

// based emits n heads x (batch, n, sequence, head size) in the bases of their key/value
// heads, Qᵀ x, where exp(tL) = Q R_θ(t) Qᵀ: the planes turn after it, keys are cached
// so, and in a score one Q meets the other's transpose. Coordinates that do not turn
// stay. Heads of one basis are rows of one product: (batch, key/value heads, heads of
// each · sequence, head size).
func (e *emitter) based(l *layer, side names.Side, x *graph.Value, n int) *graph.Value {
	a := l.attn
	if a.Generators == nil || e.g.Err() != nil {
		return x
	}
	groups, d := int64(a.KVHeads), int64(a.QKDim)
	at := l.at(names.Bases)
	basis := e.once(at, func() *graph.Value {
		var all []float64
		for _, q := range a.Generators.Q {
			head := posenc.Identity(int(d))
			for i := range q.Rows {
				copy(head.Row(i), q.Row(i))
			}
			all = append(all, head.Data...)
		}
		return e.g.Tensor(at, graph.Float, []int64{groups, d, d}, floatBytes(all))
	})
	if int64(n) > groups {
		x = e.g.Op("Reshape", l.at(side.Heads())+names.Grouped, []*graph.Value{x, e.ints(fmt.Sprintf("grouped%dx%d", groups, d), 0, groups, -1, d)})
	}
	return e.g.Op("MatMul", names.Node(l.at(side.Based()), "MatMul"), []*graph.Value{x, basis})
}

// rotate turns n heads x (batch, n, sequence, head size), or as based groups them, by the
// positions of this call. Groups of heads with tables of their own go into the batch.
func (e *emitter) rotate(prefix string, x *graph.Value, n int, a *family.Attention, t turning) *graph.Value {
	if e.g.Err() != nil {
		return x
	}
	r, heads := a.Rotary, int64(n)
	share, d, grouped := heads/int64(t.groups), int64(r.HeadDim), x.Shape()[1].N != heads
	switch {
	case t.groups > 1 && grouped:
		x = e.g.Op("Reshape", prefix+names.Fold, []*graph.Value{x, e.onwards(share, d)})
	case t.groups > 1:
		x = e.g.Op("Reshape", prefix+names.Fold, []*graph.Value{x, e.ints(fmt.Sprintf("fold%dx%d", share, d), -1, share, 0, d)})
	case grouped:
		x = e.g.Op("Reshape", prefix+names.Fold, []*graph.Value{x, e.ints(fmt.Sprintf("ungrouped%dx%d", heads, d), 0, heads, -1, d)})
	}
	interleaved := 0
	if r.Pairing == posenc.Interleaved {
		interleaved = 1
	}
	y := e.g.Add(graph.Node{
		Domain: ops.Domain, Op: "Rotation", Name: prefix + names.Rotation,
		In: []*graph.Value{x, t.cos, t.sin},
		Attrs: []graph.Attr{
			graph.IntAttr("interleaved", interleaved),
			graph.IntAttr("rotary_embedding_dim", rotaryDim(r.Dim, r.HeadDim)),
		},
	})[0]
	if t.groups > 1 {
		y = e.g.Op("Reshape", prefix+names.Unfold, []*graph.Value{y, e.ints(fmt.Sprintf("fold%dx%d", heads, d), -1, heads, 0, d)})
	}
	return y
}

// foldedTable joins the axes of (…, sequence, planes) before the sequence.
func (e *emitter) foldedTable(prefix string, v *graph.Value) *graph.Value {
	if e.g.Err() != nil {
		return v
	}
	return e.g.Op("Reshape", prefix+"/folded/Reshape", []*graph.Value{v, e.onwards(v.Shape()[v.Rank()-1].N)})
}

// onwards is the vector [-1, before..., sequence, last].
func (e *emitter) onwards(sizes ...int64) *graph.Value {
	last := len(sizes) - 1
	name := names.FoldShape(sizes...)
	return e.once(name, func() *graph.Value {
		before := e.ints(fmt.Sprint("fold_before", sizes[:last]), append([]int64{-1}, sizes[:last]...)...)
		return e.g.Op("Concat", name+"/Concat", []*graph.Value{before, e.sequenceVec(), e.ints(fmt.Sprintf("width%d", sizes[last]), sizes[last])}, graph.IntAttr("axis", 0))
	})
}
