package onnxops

import (
	"fmt"
	"slices"

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
	if base, seen, ok := oneSpectrum(a.Spectra.InvFreq); ok {
		return e.maskedTurning(l, base, seen)
	}
	t := e.headTables(a)
	w, prefix := a.Rotary.Planes(), l.prefix+"/rotary"
	part := func(name string, v *graph.Value) *graph.Value {
		v = e.g.Op("Reshape", prefix+"/"+name+"/split/Reshape", []*graph.Value{v, e.ints(fmt.Sprintf("groups%dx%d", a.KVHeads, w), 0, 0, int64(a.KVHeads), int64(w))})
		v = e.g.Op("Transpose", prefix+"/"+name+"/Transpose", []*graph.Value{v}, graph.IntsAttr("perm", 0, 2, 1, 3))
		return e.foldedTable(prefix+"/"+name, v)
	}
	return turning{part("cos", t.cos), part("sin", t.sin), a.KVHeads}
}

// headTables are tables with the planes of all groups side by side.
func (e *emitter) headTables(a *family.Attention) table {
	r := posenc.Rotary{HeadDim: 2 * a.KVHeads * a.Rotary.Planes(), Pairing: a.Rotary.Pairing}
	r.Dim, r.Gain = r.HeadDim, a.Rotary.Gain
	for _, s := range a.Spectra.InvFreq {
		r.InvFreq = append(r.InvFreq, s...)
		r.Removed = append(r.Removed, a.Rotary.Removed...)
	}
	return e.tablesOf(&e.headRotaries, names.RotaryHeads, r)
}

// oneSpectrum reports whether the groups' spectra differ only in what planes are
// position independent: then the common spectrum and which planes of each group
// turn.
func oneSpectrum(spectra [][]float64) (base []float64, turns [][]bool, ok bool) {
	base = make([]float64, len(spectra[0]))
	turns = make([][]bool, len(spectra))
	for g, s := range spectra {
		turns[g] = make([]bool, len(s))
		for p, theta := range s {
			if theta == 0 {
				continue
			}
			turns[g][p] = true
			if base[p] != 0 && base[p] != theta {
				return nil, nil, false
			}
			base[p] = theta
		}
	}
	return base, turns, true
}

// maskedTurning is a shared table, and per group which of its planes turn.
func (e *emitter) maskedTurning(l *layer, base []float64, turns [][]bool) turning {
	a, prefix := l.attn, l.prefix+"/rotary"
	r := a.Rotary
	r.Spectrum = r.Spectrum.Clone()
	r.InvFreq = base
	t := e.tablesOf(&e.headRotaries, names.RotaryHeads, r)
	same := true
	var bits []byte
	for _, group := range turns {
		same = same && slices.Equal(group, turns[0])
		for _, b := range group {
			bit := byte(0)
			if b {
				bit = 1
			}
			bits = append(bits, bit)
		}
	}
	if same {
		return turning{t.cos, t.sin, 1}
	}
	mask := e.g.Tensor(prefix+"/turns", graph.Bool, []int64{1, int64(a.KVHeads), 1, int64(r.Planes())}, bits)
	still := r.Spectrum.Clone()
	still.InvFreq = make([]float64, r.Planes())
	var cos []float64
	for p := range still.InvFreq {
		c, _ := still.CosSin(p, 0)
		cos = append(cos, c)
	}
	part := func(name string, v, rest *graph.Value) *graph.Value {
		v = e.g.Op("Unsqueeze", prefix+"/"+name+"/Unsqueeze", []*graph.Value{v, e.ints("axis1", 1)})
		v = e.g.Op("Where", prefix+"/"+name+"/Where", []*graph.Value{mask, v, rest})
		return e.foldedTable(prefix+"/"+name, v)
	}
	return turning{part("cos", t.cos, e.floats("still_cos", []int64{int64(len(cos))}, cos)), part("sin", t.sin, e.scalar("still_sin", 0)), a.KVHeads}
}

// foldedTable joins batch and groups of (batch, groups, sequence, planes).
func (e *emitter) foldedTable(prefix string, v *graph.Value) *graph.Value {
	if e.g.Err() != nil {
		return v
	}
	w := v.Shape()[3].N
	name := fmt.Sprintf("/shape/folded%d", w)
	to := e.consts[name]
	if to == nil {
		to = e.g.Op("Concat", name+"/Concat", []*graph.Value{e.ints("all", -1), e.sequenceVec(), e.ints(fmt.Sprintf("width%d", w), w)}, graph.IntAttr("axis", 0))
		e.consts[name] = to
	}
	return e.g.Op("Reshape", prefix+"/folded/Reshape", []*graph.Value{v, to})
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
// stay. Queries' copies of the bases are made when the session loads.
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
		return e.g.Tensor(at, graph.Float, []int64{groups, 1, d, d}, floatBytes(all))
	})
	if share := int64(n) / groups; share > 1 {
		basis = e.g.Op("Expand", at+"/"+string(side)+"/Expand", []*graph.Value{basis, e.ints(fmt.Sprintf("bases%dx%dx%d", groups, share, d), groups, share, d, d)})
	}
	basis = e.g.Op("Reshape", at+"/"+string(side)+names.Reshape, []*graph.Value{basis, e.ints(fmt.Sprintf("bases%dx%d", n, d), int64(n), d, d)})
	return e.g.Op("MatMul", names.Node(l.at(side.Based()), "MatMul"), []*graph.Value{x, basis})
}

// rotate turns heads x (batch, heads, sequence, head size) by the positions of
// this call. Groups of heads with tables of their own go into the batch.
func (e *emitter) rotate(prefix string, x *graph.Value, a *family.Attention, t turning) *graph.Value {
	r := a.Rotary
	n := int64(0)
	if e.g.Err() == nil && t.groups > 1 {
		n = x.Shape()[1].N
		share := n / int64(t.groups)
		x = e.g.Op("Reshape", prefix+names.Fold, []*graph.Value{x, e.ints(fmt.Sprintf("fold%dx%d", share, r.HeadDim), -1, share, 0, int64(r.HeadDim))})
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
	if n > 0 {
		y = e.g.Op("Reshape", prefix+names.Unfold, []*graph.Value{y, e.ints(fmt.Sprintf("fold%dx%d", n, r.HeadDim), -1, n, 0, int64(r.HeadDim))})
	}
	return y
}
