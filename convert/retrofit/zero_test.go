package retrofit

import (
	"context"
	"testing"
)

// TestZeroSelect: a budget that nobody chose is an error; a granularity is each
// layer and key/value head.
func TestZeroSelect(t *testing.T) {
	turns := []Turn{{InvFreq: [][]float64{{1, 0.1}}, Gain: 1}}
	costs := &Costs{Planes: []int{0, 1}, Cost: [][][]float64{{{1, 2}}}}
	measure := func(context.Context, *Selection) (Measured, error) { return Measured{}, nil }
	if s, err := Select(context.Background(), costs, turns, measure, SelectOptions{}); err == nil {
		t.Errorf("without a budget %d choices are dropped", len(s.Dropped))
	}
	s, err := Select(context.Background(), costs, turns, nil, SelectOptions{Budget: Budget{Kind: BudgetPlanes, Value: 1}})
	if err != nil || s.Granularity != ByGroup {
		t.Errorf("granularity %v, %v; want %s", s, err, ByGroup)
	}
	if _, err := Select(context.Background(), &Costs{}, turns, nil, SelectOptions{}); err == nil {
		t.Error("costs of nothing choose planes")
	}
	if _, err := MeasureCosts(context.Background(), nil, nil, nil, nil, nil, CostOptions{}); err == nil {
		t.Error("costs of no text")
	}
}
