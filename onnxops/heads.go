package onnxops

import (
	"sync"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
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
}

// heads projects x to queries, keys and values of (batch, heads, sequence, head
// size), mixes (KV-shift), normalises and turns them.
func (e *emitter) heads(l *layer) (q, k, v *graph.Value) {
	a := l.attn
	l.token = map[string]func() *graph.Value{}
	turns := sync.OnceValue(func() turning { return e.turning(l) })
	q = e.headPart(l, "q", a.Heads, a.Q, nil, a.QNorm, turns)
	k = e.headPart(l, "k", a.KVHeads, a.K, a.KShift, a.KNorm, turns)
	v = e.headPart(l, "v", a.KVHeads, a.V, a.VShift, nil, func() turning { return turning{} })
	return q, k, v
}

func (e *emitter) headPart(l *layer, part string, n int, w family.Linear, s *family.Shift, norm *family.Norm, turns func() turning) *graph.Value {
	a, p := l.attn, l.prefix+"/"+part
	d := tieSize(a, part)
	v := e.linear(p+"_proj", l.x, w)
	over := norm != nil && norm.Size != d // all heads together, before they part
	if over {
		v = e.norm(p+"_norm", v, norm)
	}
	v = e.g.Op("Reshape", p+"/Reshape", []*graph.Value{v, e.headShape(n, d)})
	if s != nil {
		v = e.shift(l, part, s, v)
	}
	after := norm != nil && a.NormAfter
	if norm != nil && !after && !over {
		v = e.norm(p+"_norm", v, norm)
	}
	v = e.g.Op("Transpose", p+"/Transpose", []*graph.Value{v}, graph.IntsAttr("perm", 0, 2, 1, 3))
	token := v
	l.token[part] = func() *graph.Value { return token }
	t := turns()
	if t.cos != nil {
		v = e.rotate(p, v, a, t)
		if after {
			plain := token
			l.token[part] = func() *graph.Value { return e.norm(p+"_token_norm", plain, norm) }
		}
	}
	if after {
		v = e.norm(p+"_norm", v, norm)
		if t.cos == nil {
			token = v
		}
	}
	return v
}
