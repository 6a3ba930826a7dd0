package rewrite

import "github.com/pecvt/pecvt/convert/family"

// zeroQueries makes the given planes' query coordinates zero in every head of
// every layer, so that they add nothing to a score. Where queries are
// normalised per head the norm's weight is zeroed instead: zero rows would
// change the mean that the other coordinates are divided by.
func zeroQueries(m *family.Model, planes []int) []Edit {
	e := edits{}
	for _, a := range m.Attentions() {
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
			weight, bias = a.QNorm.Weight, a.QNorm.Bias
		}
		e.perHead(weight, order)
		if bias != nil {
			e.perHead(*bias, order)
		}
	}
	return e.list()
}
