package bisect

import (
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/names"
)

// ofDelta are the counterparts of a gated delta net's nodes; nil for what the
// reference does not show, as what is inside of its loop.
func (e *expecter) ofDelta(d *family.DeltaNet, place string, tap func(string) string) *counterpart {
	wide := func(f []float64) *wanted { return e.rows(f, e.b, e.n, len(f)/(e.b*e.n)) }
	heads := func(f []float64) *wanted { return e.rows(f, e.b, e.n, d.Heads, d.VDim) }
	_, places := d.Inputs()
	for _, at := range append(places, family.AtDeltaA, family.AtDeltaB, family.AtDeltaZ) {
		if place == names.Node(at, "Gemm") {
			return plain(tap(at), e.flat)
		}
	}
	switch place {
	case names.Node(names.DeltaMixed, "Mul"):
		return plain(tap(names.DeltaMixed), wide)
	case names.Node(names.DeltaContext, "Squeeze"):
		return plain(tap(names.DeltaContext), heads)
	case names.Node(family.AtDeltaNorm, "RMSNormalization"):
		return plain(tap(family.AtDeltaNorm), heads)
	case family.AtDeltaNorm + names.Reshape:
		return plain(tap(family.AtDeltaNorm), e.flat)
	case names.Node(names.DeltaGated, "Sigmoid"):
		return plain(tap(family.AtDeltaZ), func(f []float64) *wanted { return e.flat(each(f, sigmoid)) })
	case names.Node(names.DeltaGated, "Mul"):
		return plain(tap(names.DeltaGated), e.flat)
	}
	return nil
}
