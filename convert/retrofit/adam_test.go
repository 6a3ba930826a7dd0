package retrofit

import (
	"math"
	"testing"
)

// TestRateAt: the course of the rate is the one that docs/retrofit.md describes, for
// however few steps.
func TestRateAt(t *testing.T) {
	for _, n := range []int{1, 2, 5, 6, 8, 96, 640} {
		var sum float64
		for step := range n {
			f := rateAt(step, n)
			after := float64(step-warmUp) / float64(n-warmUp)
			switch {
			case step < warmUp:
				if want := float64(step+1) / float64(min(warmUp, n)); f != want {
					t.Errorf("%d steps: factor %v at %d, in the warm-up %v was expected", n, f, step, want)
				}
			case after <= .5:
				if f != 1 {
					t.Errorf("%d steps: factor %v at %d, before the half", n, f, step)
				}
			case math.Abs(f-2*(1-after)) > 1e-12:
				t.Errorf("%d steps: factor %v at %d, expected %v", n, f, step, 2*(1-after))
			}
			sum += f
		}
		// half of the steps whole and half of them at a half, on average
		if n > 50 && math.Abs(sum/float64(n)-.75) > .03 {
			t.Errorf("%d steps: the mean factor is %v, expected three quarters", n, sum/float64(n))
		}
	}
}
