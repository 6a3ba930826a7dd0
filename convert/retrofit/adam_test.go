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

// TestPull: without a gradient the difference to the source's weights falls by the share
// that the rate's course says, step by step; without a pull it stays.
func TestPull(t *testing.T) {
	const steps = 40
	source := &Weights[float32]{Q: []float32{1, -2, 3, 0}, K: []float32{.5, 1.5}, KBias: []float32{2}}
	for _, pull := range []float64{0, .05} {
		w := source.Clone()
		for _, part := range w.parts() {
			for i := range part {
				part[i]++
			}
		}
		a := newAdam(w, .1, steps)
		a.pull, a.source = pull, source
		left := 1.0
		for step := range steps {
			a.update(w.NewWeights())
			left *= 1 - pull*rateAt(step, steps)
		}
		for n, part := range w.parts() {
			for i, x := range part {
				if got := float64(x - source.parts()[n][i]); math.Abs(got-left) > 1e-5 {
					t.Errorf("pull %v: part %d, number %d is %v from the source's, expected %v", pull, n, i, got, left)
				}
			}
		}
		if pull > 0 && (left > .5 || left < .05) {
			t.Fatalf("%v is left", left)
		}
	}
}
