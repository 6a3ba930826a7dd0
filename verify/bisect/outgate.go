package bisect

import (
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/names"
)

// ofOutGate are the counterparts of what gates attention's output; context is what
// it multiplies. A gate with a bias of heads has heads apart, as one per head has.
func (e *expecter) ofOutGate(a *family.Attention, place, context string, tap func(string) string) *counterpart {
	heads := func(f []float64) *wanted { return e.rows(f, e.b*e.n, a.Heads, len(f)/(e.b*e.n*a.Heads)) }
	as := e.flat
	if a.OutGate.Width() == a.Heads || a.OutGate.HeadBias != nil {
		as = heads
	}
	switch place {
	case names.Node(family.AtOutGate, "Gemm"):
		return plain(tap(family.AtOutGate), e.flat)
	case family.AtOutGate + names.Reshape:
		return plain(tap(family.AtOutGate), heads)
	case names.Node(family.AtOutGate, "Sigmoid"):
		if a.OutGate.HeadBias != nil {
			return nil // the reference shows the gate without it
		}
		return plain(tap(family.AtOutGate), func(f []float64) *wanted { return as(each(f, sigmoid)) })
	case names.Gated + "/heads" + names.Reshape:
		return plain(tap(context), heads)
	case names.Node(names.Gated, "Mul"):
		return plain(tap(names.Gated), as)
	case names.Gated + names.Reshape:
		return plain(tap(names.Gated), e.flat)
	}
	return nil
}
