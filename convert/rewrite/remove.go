package rewrite

import (
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// zeroQueries makes the given planes' query coordinates zero in every head of
// every layer, so that they add nothing to a score. Where queries are
// normalised per head the norm's weight is zeroed instead: zero rows would
// change the mean that the other coordinates are divided by. A norm without weights
// has none to zero, and one whose weight is stored less a constant does not become 0
// by zeros.
func zeroQueries(m *family.Model, planes []int) ([]Edit, error) {
	e := edits{}
	for i, a := range m.Attentions() {
		if a.Rotary.Dim == 0 || a.Rope != nil {
			continue // a layer without rotation has no planes to remove, one of another type keeps its own
		}
		order := make([]source, a.QKDim)
		for j := range order {
			order[j].row = j
		}
		for _, p := range planes {
			first, second := a.Rotary.Coordinates(p)
			order[first].zero, order[second].zero = true, true
		}
		weight, bias := a.Q.Weight, a.Q.Bias
		if a.QNorm != nil {
			if a.NormAfter {
				return nil, hint.Errorf("layer %d: queries are normalised after they turn, over all coordinates, so that which planes leave the score would change those that stay: %w; "+hint.To+" hope leaves them there, unturned", i, posenc.ErrUnsupported)
			}
			if a.QNorm.Offset != 0 {
				return nil, hint.Errorf("layer %d: queries have a norm whose weight is stored less %v, so that zeros there take no plane out of the score: %w; "+hint.To+" hope leaves them there, unturned", i, a.QNorm.Offset, posenc.ErrUnsupported)
			}
			if a.QNorm.Weight.Tensor == "" {
				return nil, hint.Errorf("layer %d: queries have a norm without weights that could be zero, and its mean changes with rows that are: planes cannot leave the score: %w; "+hint.To+" hope leaves them there, unturned", i, posenc.ErrUnsupported)
			}
			weight, bias = a.QNorm.Weight, a.QNorm.Bias
		}
		e.perHead(weight, order)
		if bias != nil {
			e.perHead(*bias, order)
		}
	}
	return e.list(), nil
}
