package rewrite

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// forward makes planes that turn by −θ turn by +θ: the second coordinate of
// each is negated in W_q and W_k, so that scores stay. A per-head RMS norm
// between the two passes the sign on and keeps its weight; one that subtracts
// the mean does not.
func forward(m *family.Model, planes []int) ([]Edit, error) {
	e := edits{}
	for i, a := range m.Attentions() {
		if a.Rotary.Dim == 0 {
			continue
		}
		if a.Latent != nil {
			return nil, fmt.Errorf("layer %d: %s: planes by −θ are %w there", i, family.LatentAttention, posenc.ErrUnsupported)
		}
		if a.KVLayer != nil || a.K.Weight.Tensor == a.V.Weight.Tensor && a.K.Weight.Rows == nil {
			return nil, fmt.Errorf("layer %d: %s, or %s: planes by −θ are %w there", i, family.SharedKV, family.ValuesOfKeys, posenc.ErrUnsupported)
		}
		for _, n := range []*family.Norm{a.QNorm, a.KNorm} {
			if n != nil && (n.Kind != family.RMS || n.Bias != nil) {
				return nil, fmt.Errorf("layer %d: a norm of queries or keys that a sign does not pass through: planes by −θ are %w there", i, posenc.ErrUnsupported)
			}
		}
		order := make([]source, a.QKDim)
		for j := range order {
			order[j].row = j
		}
		for _, p := range planes {
			_, second := a.Rotary.Coordinates(p)
			order[second].negate = true
		}
		for _, l := range []family.Linear{a.Q, a.K} {
			e.perHead(l.Weight, order)
			if l.Bias != nil {
				e.perHead(*l.Bias, order)
			}
		}
	}
	return e.list(), nil
}
