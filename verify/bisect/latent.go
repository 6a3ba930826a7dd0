package bisect

import (
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// ofLatent are the counterparts of what makes the latents, and of keys that are
// joined of a shared slice and each head's own.
func (e *expecter) ofLatent(a *family.Attention, n *onnxpb.NodeProto, place string, tap func(string) string) *counterpart {
	if p, ok := e.s.partOf(n.GetName()); ok && (p.Place == family.AtQLatent || p.Place == family.AtKVLatent) {
		return plain(p.Path(), e.flat)
	}
	slice := func(n int) func(f []float64) *wanted {
		return func(f []float64) *wanted {
			var all []float64
			for i := range len(f) / a.Latent.Turned {
				for range n {
					all = append(all, f[i*a.Latent.Turned:][:a.Latent.Turned]...)
				}
			}
			return e.heads(all, n)
		}
	}
	switch place {
	case names.Node(family.AtQDown, "Gemm"), names.Node(family.AtKVDown, "Gemm"), names.Node(family.AtKTurned, "Gemm"):
		return plain(tap(strings.TrimSuffix(place, "/Gemm")), e.flat)
	case family.AtKTurned + names.Reshape:
		return plain(tap(family.AtKTurned), func(f []float64) *wanted { return e.rows(f, e.b, e.n, 1, a.Latent.Turned) })
	case family.AtKTurned + names.Transposed:
		return plain(tap(family.AtKTurned), slice(1))
	case names.Node(names.KVScaled, "Mul"):
		return plain(tap(names.KVScaled), e.flat)
	case names.Node(names.KJoined, "Expand"):
		return plain(tap(family.AtKTurned), slice(a.KVHeads))
	case names.Node(names.KJoined, "Concat"):
		return plain(tap(names.KJoined), func(f []float64) *wanted { return e.heads(f, a.KVHeads) })
	}
	return nil
}

// ofAbsorbed are the counterparts of what a graph that caches latents has in another
// form, or under a name that other graphs have for another value; known is false for
// the rest. The reference knows no query that was multiplied with the weights of keys.
func (e *expecter) ofAbsorbed(a *family.Attention, place string, output int, tap func(string) string) (c *counterpart, known bool) {
	turned, latent := a.Latent.Turned, family.AtKVLatent
	if a.Latent.KVScale != 0 {
		latent = names.KVScaled
	}
	queries, keys := names.Q.Proj(), names.KJoined
	if a.Rotary.Planes() > 0 {
		queries, keys = names.Q.Rotated(), names.K.Rotated()
	}
	// part is what lies between two coordinates of the first n heads.
	part := func(place string, all, n, begin, end int) *counterpart {
		return plain(tap(place), func(f []float64) *wanted { return e.heads(e.cut(f, all, n, begin, end), n) })
	}
	cached := &counterpart{[]string{tap(keys), tap(latent)}, func(t map[string][]float64) *wanted {
		slice := e.cut(t[tap(keys)], a.KVHeads, 1, 0, turned)
		rank := len(t[tap(latent)]) / (e.b * e.n)
		var all []float64
		for i := range e.b * e.n {
			all = append(append(all, slice[i*turned:][:turned]...), t[tap(latent)][i*rank:][:rank]...)
		}
		return e.heads(all, 1)
	}}
	switch place {
	case names.QSplit:
		if output == 0 {
			return part(queries, a.Heads, a.Heads, 0, turned), true
		}
		return part(queries, a.Heads, a.Heads, turned, a.QKDim), true
	case names.K.Heads() + names.Rotation:
		return part(keys, a.KVHeads, 1, 0, turned), true
	case names.KVJoined + names.Reshape:
		return plain(tap(latent), func(f []float64) *wanted { return e.rows(f, e.b, e.n, 1, len(f)/(e.b*e.n)) }), true
	case names.KVJoined + names.Transposed:
		return plain(tap(latent), func(f []float64) *wanted { return e.heads(f, 1) }), true
	case names.Node(names.KVJoined, "Concat"), names.Marked:
		return cached, true
	case names.LatentsGrown:
		if e.old > 0 { // the reference keeps the keys and values that were made of the past's
			return nil, true
		}
		return cached, true
	case names.LatentValues:
		if e.old > 0 {
			return nil, true
		}
		return plain(tap(latent), func(f []float64) *wanted { return e.heads(f, 1) }), true
	case names.Node(names.V.Proj(), "MatMul"):
		return plain(tap(names.Context), func(f []float64) *wanted { return e.heads(f, a.Heads) }), true
	case names.Attention, names.Node(names.K.Proj(), "MatMul"), names.QAbsorbed:
		return nil, true
	}
	return nil, false
}

// cut takes coordinates [begin, end) of the first n heads of (batch·tokens, all, size).
func (e *expecter) cut(f []float64, all, n, begin, end int) []float64 {
	size := len(f) / (e.b * e.n * all)
	var out []float64
	for i := range e.b * e.n {
		for h := range n {
			out = append(out, f[(i*all+h)*size:][begin:end]...)
		}
	}
	return out
}
