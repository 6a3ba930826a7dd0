package bisect

import (
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// ofAttention are the counterparts within a layer's attention; place is the
// node's name in its layer.
func (e *expecter) ofAttention(n *onnxpb.NodeProto, place string, output, layer int) *counterpart {
	b := &e.s.model.Blocks[layer]
	a := b.Attn()
	if a == nil {
		return nil
	}
	tap := func(place string) string { return names.Layer(layer, place) }
	context := names.Context
	over := a.HeadNorm != nil && a.HeadNorm.Size != a.VDim // comes after the heads are joined
	if a.HeadNorm != nil && !over {
		context = family.AtHeadNorm
	}
	if n.GetName() == names.Sum(layer, b, false) {
		return e.afterAttention(b, layer)
	}
	if a.Latent != nil && e.s.info.Cache == names.Latent {
		if c, known := e.ofAbsorbed(a, place, output, tap); known {
			return c
		}
	}
	switch place {
	case names.Attention, names.GroupQueryAttention:
		if output > 0 {
			return e.ofCache(layer, output)
		}
		if place == names.Attention {
			return plain(tap(names.Context), func(f []float64) *wanted { return e.heads(f, a.Heads) })
		}
		return plain(tap(names.Context), func(f []float64) *wanted { return e.rows(f, e.b, e.n, a.Heads*a.VDim) })
	case names.KeysGrown:
		return e.ofCache(layer, 1)
	case names.ValuesGrown:
		return e.ofCache(layer, 2)
	case names.Marked:
		v := projections(a)[names.V]
		return plain(tap(v.unturned()), func(f []float64) *wanted { return e.heads(f, v.heads) })
	case names.Joined + names.Transposed:
		return plain(tap(context), func(f []float64) *wanted { return e.rows(f, e.b, e.n, a.Heads, a.VDim) })
	case names.Joined + names.Reshape:
		return plain(tap(context), e.flat)
	case names.Node(family.AtO, "Gemm"):
		return plain(tap(family.AtO), e.flat)
	case names.Node(names.PackedProj, "Gemm"), names.Packed + names.Reshape:
		return e.packed(place == names.Packed+names.Reshape, tap(names.Q.Proj()), tap(names.K.Proj()), tap(names.V.Proj()))
	case names.ContextPhase:
		if output > 0 {
			return nil
		}
		return plain(tap(names.Phase), func(f []float64) *wanted {
			w := e.heads(f, len(f)/(e.b*e.n)) // (batch, phases, tokens, 1)
			w.shape = w.shape[:3]
			return w
		})
	}
	if a.Latent != nil {
		if c := e.ofLatent(a, n, place, tap); c != nil {
			return c
		}
	}
	if p, ok := e.s.partOf(n.GetName()); ok && p.Place == family.AtHeadNorm {
		if over {
			return plain(p.Path(), e.flat)
		}
		return plain(p.Path(), func(f []float64) *wanted { return e.heads(f, a.Heads) })
	}
	if a.OutGate != nil {
		if c := e.ofOutGate(a, place, context, tap); c != nil {
			return c
		}
	}
	if place == names.Node(names.Q.Scaled(), "Mul") && a.QueryScale != nil {
		return e.ofScaledQueries(a, tap)
	}
	for _, p := range projections(a) {
		if c := e.ofProjection(p, place, tap); c != nil {
			return c
		}
	}
	return nil
}

// ofScaledQueries are the queries times the factors of their positions; before they
// turn where GroupQueryAttention turns them.
func (e *expecter) ofScaledQueries(a *family.Attention, tap func(string) string) *counterpart {
	if e.s.info.Attention != "ort" {
		return plain(tap(names.Q.Scaled()), func(f []float64) *wanted { return e.heads(f, a.Heads) })
	}
	return plain(tap(projections(a)[names.Q].unturned()), func(f []float64) *wanted {
		out, width := append([]float64(nil), f...), a.Heads*a.QKDim
		for i := range out {
			token := i / width
			out[i] *= a.QueryScale.At(e.in.Positions[token/e.n][token%e.n])
		}
		return e.rows(out, e.b, e.n, width)
	})
}

// ofProjection are the counterparts of what makes queries, keys or values.
func (e *expecter) ofProjection(p projection, place string, tap func(string) string) *counterpart {
	asHeads := func(f []float64) *wanted { return e.heads(f, p.heads) }
	asTokens := func(f []float64) *wanted { return e.rows(f, e.b, e.n, p.heads, p.d) }
	norm := ""
	if p.norm != nil {
		norm = names.Node(p.side.Norm(), names.NormOp(p.norm))
	}
	heads := p.side.Heads()
	switch place {
	case names.Node(p.side.Proj(), "Gemm"):
		return plain(tap(p.side.Proj()), e.flat)
	case names.Node(p.side.Clipped(), "Clip"):
		return plain(tap(p.side.Clipped()), e.flat)
	case names.Node(p.side.Scaled(), "Mul"):
		return plain(tap(p.side.Scaled()), e.flat)
	case p.side.Norm() + names.Reshape:
		return plain(tap(p.projected()), asTokens)
	case p.side.Norm() + names.PerHead:
		return plain(tap(p.side.Norm()), asTokens)
	case norm:
		switch {
		case p.norm.PerHead != nil: // the reference shows it with its weights alone
			return nil
		case p.over():
			return plain(tap(p.side.Norm()), e.flat)
		case p.after:
			return plain(tap(p.side.Norm()), asHeads)
		}
		return plain(tap(p.side.Norm()), asTokens)
	case names.Node(p.side.Shifted(), "Add"):
		return plain(tap(p.side.Shifted()), asTokens)
	case heads + names.Reshape:
		switch {
		case e.s.info.Attention == "ort":
			return plain(tap(p.unturned()), func(f []float64) *wanted { return e.rows(f, e.b, e.n, p.heads*p.d) })
		case p.over():
			return plain(tap(p.side.Norm()), asTokens)
		}
		return plain(tap(p.projected()), func(f []float64) *wanted { return e.rows(f, e.b, e.n, p.heads, p.d-p.joined) })
	case heads + names.Transposed:
		if p.joined > 0 {
			return plain(tap(p.projected()), asHeads)
		}
		return plain(tap(p.unturned()), asHeads)
	case heads + names.Grouped:
		return plain(tap(p.unturned()), anyShape(asHeads))
	case names.Node(p.side.Based(), "MatMul"): // heads of one basis are rows of one product
		return plain(tap(p.side.Based()), anyShape(asHeads))
	case heads + names.Fold:
		if p.based {
			return plain(tap(p.side.Based()), anyShape(asHeads))
		}
		return plain(tap(p.unturned()), anyShape(asHeads))
	case heads + names.Rotation:
		return plain(tap(p.side.Rotated()), anyShape(asHeads))
	case heads + names.Unfold:
		return plain(tap(p.side.Rotated()), asHeads)
	}
	return nil
}

// anyShape compares the elements in their order alone.
func anyShape(make func(f []float64) *wanted) func(f []float64) *wanted {
	return func(f []float64) *wanted {
		w := make(f)
		w.shape = nil
		return w
	}
}

// packed are values of the reference side by side: by rows, or with split by batch and
// tokens.
func (e *expecter) packed(split bool, taps ...string) *counterpart {
	return &counterpart{taps, func(t map[string][]float64) *wanted {
		var all []float64
		for row := range e.b * e.n {
			for _, name := range taps {
				w := len(t[name]) / (e.b * e.n)
				all = append(all, t[name][row*w:(row+1)*w]...)
			}
		}
		if split {
			return e.rows(all, e.b, e.n, len(all)/(e.b*e.n))
		}
		return e.flat(all)
	}}
}

// ofCache is what a layer's attention caches: keys as they meet in the score
// (output 1) or values (output 2).
func (e *expecter) ofCache(layer, output int) *counterpart {
	a := e.s.model.Blocks[layer].Attn()
	if a == nil || a.KVLayer != nil {
		return nil
	}
	side, of := names.K, names.Key
	if output > 1 {
		side, of = names.V, names.Value
	}
	p := projections(a)[side]
	last := p.unturned()
	switch {
	case p.norm != nil && p.after:
		last = side.Norm()
	case side == names.K && a.Rotary.Planes() > 0:
		last = side.Rotated()
	}
	if side == names.K && e.wide(layer) {
		return nil // a bias put coordinates of its own before each key
	}
	return plain(names.Layer(layer, last), func(f []float64) *wanted {
		var past []float64
		if e.cache != nil {
			past = e.cache.Keys[layer]
			if of == names.Value {
				past = e.cache.Values[layer]
			}
		}
		return e.cached(f, a.KVHeads, past)
	})
}

// wide tells keys that are cached with more coordinates than the model's.
func (e *expecter) wide(layer int) bool {
	name := names.Past(layer, names.Key)
	for _, c := range e.s.info.Caches {
		if c.Past == name {
			return c.Dims[3] != int64(e.s.model.Blocks[layer].Attn().QKDim)
		}
	}
	return true
}
