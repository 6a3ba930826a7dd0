package bench

import (
	"math"
	"testing"
)

// TestFigures: medians, quartiles, and ratios of the same round, worked out by hand.
func TestFigures(t *testing.T) {
	times := [][]answer{
		{{Seconds: 2, CPU: 1}, {Seconds: 4, CPU: 1}, {Seconds: 8, CPU: 2}, {Seconds: 6, CPU: 2}},
		{{Seconds: 3, CPU: 2}, {Seconds: 4, CPU: 2}, {Seconds: 4, CPU: 2}, {Seconds: 9, CPU: 2}},
	}
	got := figures(times, 2)
	for i, want := range []Figure{
		{Seconds: 2.5, Low: 1.75, High: 3.25, Rate: 0.4, CPU: 0.75, Ratio: 1, CPURatio: 1},
		{Seconds: 2, Low: 1.875, High: 2.625, Rate: 0.5, CPU: 1, Ratio: 1.25, CPURatio: 1.5}, // of 1.5, 1, 0.5, 1.5; of 2, 2, 1, 1
	} {
		if got[i] != want {
			t.Errorf("folder %d: %+v, want %+v", i, got[i], want)
		}
	}
	// Processor time that is not known has no ratio.
	if f := figures([][]answer{{{Seconds: 1}}}, 1)[0]; f.CPURatio != 0 || math.IsNaN(f.Ratio) {
		t.Errorf("%+v", f)
	}
}
