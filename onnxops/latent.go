package onnxops

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
)

// latentHeads are the heads of latent attention: what each head makes of the latents,
// and before it in keys the slice that all of them share. The cache holds keys and
// values as they meet in the score.
func (e *emitter) latentHeads(l *layer, turns func() turning) (q, k, v *graph.Value) {
	a := l.attn
	e.lowRank(l)
	q = e.headPart(l, names.Q, a.Heads, a.Q, nil, nil, turns)
	k = e.sharedKeys(l, turns())
	v = e.headPart(l, names.V, a.KVHeads, a.V, nil, nil, func() turning { return turning{} })
	return q, k, v
}

// lowRank makes the latents that queries, and keys and values, are made of, and
// returns that of keys and values, (batch*sequence, rank).
func (e *emitter) lowRank(l *layer) *graph.Value {
	m := l.attn.Latent
	l.latents = map[names.Side]*graph.Value{}
	if m.QDown != nil {
		l.latents[names.Q] = e.norm(l.at(family.AtQLatent), e.linear(l.at(family.AtQDown), l.x, *m.QDown), m.QNorm)
	}
	kv := e.norm(l.at(family.AtKVLatent), e.linear(l.at(family.AtKVDown), l.x, m.KVDown), m.KVNorm)
	kv = e.scaled(names.Node(l.at(names.KVScaled), "Mul"), kv, m.KVScale)
	l.latents[names.K], l.latents[names.V] = kv, kv
	return kv
}

// sharedSlice is the slice that all keys share, (batch, 1, sequence, Turned), before
// it turns.
func (e *emitter) sharedSlice(l *layer) *graph.Value {
	m := l.attn.Latent
	v := e.linear(l.at(family.AtKTurned), l.x, m.KTurned)
	v = e.g.Op("Reshape", l.at(family.AtKTurned)+names.Reshape, []*graph.Value{v, e.headShape(1, m.Turned)})
	return e.g.Op("Transpose", l.at(family.AtKTurned)+names.Transposed, []*graph.Value{v}, graph.IntsAttr("perm", 0, 2, 1, 3))
}

// sharedKeys are keys (batch, heads, sequence, head size), turned.
func (e *emitter) sharedKeys(l *layer, t turning) *graph.Value {
	a, p := l.attn, l.at(names.K.Heads())
	still := a.QKDim - a.Latent.Turned
	own := e.linear(l.at(names.K.Proj()), l.from(names.K), a.K)
	own = e.g.Op("Reshape", p+names.Reshape, []*graph.Value{own, e.headShape(a.KVHeads, still)})
	own = e.g.Op("Transpose", p+names.Transposed, []*graph.Value{own}, graph.IntsAttr("perm", 0, 2, 1, 3))
	slice := e.sharedSlice(l)
	each := e.ints(fmt.Sprintf("heads%d", a.KVHeads), 1, int64(a.KVHeads), 1, 1)
	slice = e.g.Op("Expand", names.Node(l.at(names.KJoined), "Expand"), []*graph.Value{slice, each})
	v := e.g.Op("Concat", names.Node(l.at(names.KJoined), "Concat"), []*graph.Value{slice, own}, graph.IntAttr("axis", 3))
	token := v
	l.token[string(names.K)] = func() *graph.Value { return token }
	if t.cos != nil {
		v = e.rotate(p, v, a.KVHeads, a, t)
	}
	return v
}
