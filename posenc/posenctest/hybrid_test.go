package posenctest_test

import (
	"math"
	"testing"

	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/posenctest"
)

// Hybrid's score is the rotation's plus the bias, per head, and NoPE is neither.
func TestHybrid(t *testing.T) {
	r := posenc.Rotary{Spectrum: posenc.Spectrum{InvFreq: []float64{1}, Gain: 1}, HeadDim: 2, Dim: 2}
	tokens := []posenc.Token{{Pos: 0, Q: []float64{1, 0}, K: []float64{1, 0}}, {Pos: 1, Q: []float64{0, 2}, K: []float64{3, 0}}, {Pos: 2, Q: []float64{1, 1}, K: []float64{0, 1}}}
	h := posenctest.Hybrid{Rotation: r, Bias: posenc.NewALiBi([]float64{0.5, 0.25})}
	got := h.Scores(tokens, nil, 2, 1, 0, 0.5)
	want := func(i, j int) float64 {
		// R_i q · R_j k = cos(i−j) <q, k> + sin(i−j) (q1 k2 − q2 k1)
		c, s := math.Cos(float64(i-j)), math.Sin(float64(i-j))
		q, k := tokens[i].Q, tokens[j].K
		return 0.5*(c*(q[0]*k[0]+q[1]*k[1])+s*(q[0]*k[1]-q[1]*k[0])) - 0.25*float64(i-j)
	}
	for row, i := range []int{1, 2} {
		for j := range i + 1 {
			if math.Abs(got[row*3+j]-want(i, j)) > 1e-15 {
				t.Errorf("score (%d, %d) is %v, want %v", i, j, got[row*3+j], want(i, j))
			}
		}
	}
	if nope := (posenctest.Hybrid{}).Scores(tokens, nil, 1, 0, 0, 2); nope[0] != 2 || nope[1] != 6 || nope[2] != 2 {
		t.Errorf("NoPE scores %v", nope)
	}
	// a place of its own takes the position's place
	if got := (posenctest.Hybrid{Rotation: r}).Scores(tokens, [][]float64{{0}, {1}, {0}}, 1, 0, 0, 1); got[0] != 1 {
		t.Errorf("at phase 0 the score is %v, want 1", got[0])
	}
}
