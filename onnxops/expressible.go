package onnxops

import (
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// expressible says what of a layer the chosen form of graph has no nodes for.
func (e *emitter) expressible(a *family.Attention) error {
	for _, n := range []struct {
		norm  *family.Norm
		heads int
		shift *family.Shift
	}{{a.QNorm, a.Heads, nil}, {a.KNorm, a.KVHeads, a.KShift}} {
		switch {
		case n.norm != nil && n.norm.PerHead != nil && a.NormAfter:
			return unsupported("a norm with weights of each head's own after the rotation")
		case n.norm == nil || n.norm.Size == a.QKDim:
		case n.norm.Size != n.heads*a.QKDim:
			return unsupported("a norm of %d numbers over %d heads of %d: expected one head or all of them", n.norm.Size, n.heads, a.QKDim)
		case a.NormAfter || n.shift != nil:
			return unsupported("a norm over all heads after the rotation or a shift")
		}
	}
	if a.Cap > 0 && a.Bias != nil { // lowered coordinates would be summed before the cap
		return unsupported("a bias beside a cap on scores, which comes before it; convert without a graph (" + hint.NoGraph + ")")
	}
	if a.KVLayer != nil && (a.Bias != nil || a.Phase != nil || a.Sinks != nil) {
		return unsupported("a bias, a contextual phase or sinks on keys of another layer; convert without a graph (" + hint.NoGraph + ")")
	}
	if n := a.HeadNorm; n != nil && n.Size != a.VDim && n.Size != a.Heads*a.VDim {
		return unsupported("a norm of %d numbers over %d heads' outputs of %d: expected one head or all of them", n.Size, a.Heads, a.VDim)
	}
	if e.opts.Cache == CacheLatent {
		return latentCached(a)
	}
	if e.opts.Attention == AttentionORT {
		return fitsGroupQuery(a)
	}
	return nil
}

// fitsGroupQuery says what GroupQueryAttention cannot express.
func fitsGroupQuery(a *family.Attention) error {
	const advice = "; use " + hint.Attention + " standard"
	if a.NormAfter || a.HeadNorm != nil && a.HeadNorm.Size == a.VDim {
		return unsupported("a norm after the rotation, or on each head's output, does not fit GroupQueryAttention" + advice)
	}
	for _, part := range []struct {
		has  bool
		name string
	}{
		{a.KVLayer != nil, "keys and values of another layer"},
		{a.Latent != nil, "keys that share a slice"},
		{a.Generators != nil, string(family.RotationsInBases)},
		{a.Spectra != nil, "spectra per head"},
		{a.Phase != nil, "a contextual phase"},
		{a.Bias != nil, "an additive bias"},
		{a.Chunk > 0, "attention within chunks"},
		{a.VDim != a.QKDim, "values of another size than queries and keys"},
		{a.KShift != nil || a.VShift != nil, "shifted keys or values"},
	} {
		if part.has {
			return unsupported("%s: GroupQueryAttention has one table for all heads, keys as wide as values and no other state"+advice, part.name)
		}
	}
	r := a.Rotary
	if r.Planes() == 0 {
		return unsupported("a layer without rotation does not fit GroupQueryAttention's rotating form" + advice)
	}
	if w := paddedPlanes(r); 2*w > a.QKDim {
		return unsupported("a rotary dimension of %d in heads of %d: GroupQueryAttention takes tables whose width is a multiple of 8 up to half the head size"+advice,
			r.Dim, a.QKDim)
	} else if w != r.Planes() && r.Pairing == posenc.Halves {
		return unsupported("a rotary dimension of %d in halves: GroupQueryAttention takes tables whose width is a multiple of 8, and a wider one would pair other coordinates"+advice,
			r.Dim)
	}
	return nil
}
