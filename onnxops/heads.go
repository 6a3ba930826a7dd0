package onnxops

import (
	"fmt"
	"sync"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
)

// layer is one layer's attention under way.
type layer struct {
	i      int
	prefix string
	attn   *family.Attention
	x      *graph.Value // the normalised input, (batch*sequence, hidden)
	// token are queries, keys and values as a bias reads them: normalised and not
	// rotated, (batch, heads, sequence, head size).
	token map[string]func() *graph.Value
	// latents are what queries, and keys and values, are made of; nil is x.
	latents map[names.Side]*graph.Value
}

// from is what a side is projected from.
func (l *layer) from(side names.Side) *graph.Value {
	if v := l.latents[side]; v != nil {
		return v
	}
	return l.x
}

// at is the name of a place in the layer.
func (l *layer) at(place string) string { return names.Layer(l.i, place) }

// heads projects x to queries, keys and values of (batch, heads, sequence, head
// size), mixes (KV-shift), normalises and turns them.
func (e *emitter) heads(l *layer) (q, k, v *graph.Value) {
	a := l.attn
	l.token = map[string]func() *graph.Value{}
	turns := sync.OnceValue(func() turning { return e.turning(l) })
	if a.Latent != nil {
		return e.latentHeads(l, turns)
	}
	q = e.headPart(l, names.Q, a.Heads, a.Q, nil, a.QNorm, turns)
	if a.KVLayer != nil {
		return q, nil, nil
	}
	k = e.headPart(l, names.K, a.KVHeads, a.K, a.KShift, a.KNorm, turns)
	v = e.headPart(l, names.V, a.KVHeads, a.V, a.VShift, a.VNorm, func() turning { return turning{} })
	return q, k, v
}

// clipped emits x brought within [−bound, bound]; 0 is none.
func (e *emitter) clipped(prefix string, x *graph.Value, bound float64) *graph.Value {
	if bound == 0 {
		return x
	}
	return e.g.Op("Clip", prefix+"/Clip", []*graph.Value{x, e.scalar(fmt.Sprintf("clip_-%v", bound), -bound), e.scalar(fmt.Sprintf("clip_%v", bound), bound)})
}

func (e *emitter) headPart(l *layer, side names.Side, n int, w family.Linear, s *family.Shift, norm *family.Norm, turns func() turning) *graph.Value {
	a, p := l.attn, l.at(side.Heads())
	part := string(side)
	d := tieSize(a, part)
	v := e.clipped(l.at(side.Clipped()), e.linear(l.at(side.Proj()), l.from(side), w), a.Clip)
	if side == names.V {
		v = e.scaled(names.Node(l.at(side.Scaled()), "Mul"), v, a.ValueScale)
	}
	over := norm != nil && norm.Size != d // all heads together, before they part
	if over {
		v = e.norm(l.at(side.Norm()), v, norm)
	}
	v = e.g.Op("Reshape", p+names.Reshape, []*graph.Value{v, e.headShape(n, d)})
	if s != nil {
		v = e.shift(l, side, s, v)
	}
	after := norm != nil && a.NormAfter && side != names.V
	if norm != nil && !after && !over {
		v = e.norm(l.at(side.Norm()), v, norm)
	}
	v = e.g.Op("Transpose", p+names.Transposed, []*graph.Value{v}, graph.IntsAttr("perm", 0, 2, 1, 3))
	token := v
	l.token[part] = func() *graph.Value { return token }
	t := turns()
	if t.cos != nil {
		v = e.rotate(p, e.based(l, side, v, n), n, a, t)
		if after {
			plain := token
			l.token[part] = func() *graph.Value { return e.norm(l.at(side.TokenNorm()), plain, norm) }
		}
	}
	if after {
		v = e.norm(l.at(side.Norm()), v, norm)
		if t.cos == nil {
			token = v
		}
	}
	if side == names.Q && a.QueryScale != nil {
		v = e.g.Op("Mul", names.Node(l.at(side.Scaled()), "Mul"), []*graph.Value{v, e.queryScale(*a.QueryScale)})
	}
	return v
}
