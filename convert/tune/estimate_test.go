package tune

import (
	"math"
	"testing"

	"github.com/pecvt/pecvt/convert/family"
)

func TestEstimateInWords(t *testing.T) {
	for _, c := range []struct {
		e    Estimate
		want string
	}{
		{Estimate{Costs: .2}, "expected: about 1 s (1 s for the costs of planes)"},
		{Estimate{Costs: 30, Measure: 300, Measurements: 9}, "expected: about 6 min (30 s for the costs of planes, 5 min for at most 9 forward passes)"},
		{Estimate{Measure: 89, Measurements: 2, Calibrate: 7200}, "expected: about 2.0 h (89 s for at most 2 forward passes, 2.0 h for the calibration)"},
	} {
		if got := c.e.String(); got != c.want {
			t.Errorf("%+v: %q, want %q", c.e, got, c.want)
		}
	}
	if got := (Estimate{Costs: 1, Measure: 2, Calibrate: 4}).Total(); got != 7 {
		t.Errorf("total %v", got)
	}
}

// TestEstimateOfAPass against the arithmetic of a model written out by hand: one
// layer of 2 heads of 4 with all matrices 8 × 8, and 10 logits.
func TestEstimateOfAPass(t *testing.T) {
	w := family.Linear{Weight: family.Weight{Tensor: "w", Shape: []int64{8, 8}}}
	m := &family.Model{Hidden: 8, Vocab: 10, Blocks: []family.Block{{
		Mixer:       &family.Attention{Heads: 2, KVHeads: 2, QKDim: 4, VDim: 4, Q: w, K: w, V: w, O: w},
		FeedForward: &family.MLP{Gated: true, Gate: w, Up: w, Down: w}}}}
	sequences := [][]int64{make([]int64, 3), make([]int64, 5)}
	layer := 2*7*64*8.0 + 2*(9+25)*8 // matrices; scores and values of the half below the diagonal
	head := 2 * 8 * 8 * 10.0
	if got := forwardFlops(m, sequences, false); got != layer {
		t.Errorf("layers take %v, want %v", got, layer)
	}
	if got := forwardFlops(m, sequences, true); got != layer+head {
		t.Errorf("a pass takes %v, want %v", got, layer+head)
	}
	x := machine{rate: 1e6, cores: 2}
	if got, want := x.measure(m, sequences, .5), (layer+head)/.5e6; math.Abs(got-want) > 1e-12 {
		t.Errorf("measured in %v s, want %v", got, want)
	}
	// 40 rows of each sequence meet 5/8 of its keys, in 2 heads and 3 planes.
	exact := 40 * .625 * 8 * 2 * 3 * 25e-9 / 2
	if got, want := x.costs(m, sequences, 3), layer/.5e6+exact; math.Abs(got-want) > 1e-12 {
		t.Errorf("costs in %v s, want %v", got, want)
	}
}
