package posenc

import (
	"math"
	"testing"
)

// TestFitKERPLE: no r2 nearby has a smaller error of the weights, and both errors are
// those of a search over every distance.
func TestFitKERPLE(t *testing.T) {
	const length = 4096
	slopes := []float64{0.5, 0.25, 0.0625, 1. / 256, 0.7071, 0}
	fit, err := FitKERPLE(slopes, length)
	if err != nil {
		t.Fatal(err)
	}
	weight, bias := 0.0, 0.0
	for h, slope := range slopes {
		if slope == 0 {
			if fit.R1[h] != 0 {
				t.Errorf("a slope of 0 has r1 %v", fit.R1[h])
			}
			continue
		}
		off := func(r2 float64) (weight, bias float64) {
			for n := 1.0; n < length; n++ {
				b := -fit.R1[h] * math.Log1p(r2*n)
				weight, bias = max(weight, math.Abs(math.Exp(b)-math.Exp(-slope*n))), max(bias, math.Abs(b+slope*n))
			}
			return weight, bias
		}
		w, b := off(fit.R2[h])
		weight, bias = max(weight, w), max(bias, b)
		for _, by := range []float64{0.97, 0.999, 1.001, 1.03} {
			if other, _ := off(fit.R2[h] * by); other < w-1e-3*w {
				t.Errorf("slope %v: r2 %v has an error of %v, %v times it one of %v", slope, fit.R2[h], w, by, other)
			}
		}
	}
	if math.Abs(fit.Weight-weight) > 1e-4*weight || math.Abs(fit.Bias-bias) > 1e-9*bias {
		t.Errorf("errors %v and %v, by a search %v and %v", fit.Weight, fit.Bias, weight, bias)
	}
	t.Logf("r2·r1/β %v, weights off by %.4g, bias by %.4g of %.4g", fit.R2[0]/slopes[0]*fit.R1[0], weight, bias, slopes[0]*length)
	if weight > 2e-4 {
		t.Errorf("weights are off by %v", weight)
	}
}

// TestKERPLEOfALiBi: a power of 1 is ALiBi, to the bit.
func TestKERPLEOfALiBi(t *testing.T) {
	slopes := []float64{0.5, 0.0625, 0.3}
	k, err := KERPLEFromALiBi(slopes)
	if err != nil {
		t.Fatal(err)
	}
	for h := range slopes {
		in := BiasInput{Query: []int64{3, 70_001}, Key: []int64{0, 3, 69_999}}
		got, want := make([]float64, 6), make([]float64, 6)
		k.Add(got, h, in)
		NewALiBi(slopes).Add(want, h, in)
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("head %d: %v, want %v", h, got, want)
			}
		}
	}
}

// TestOpenGates: FoX of a slope of 0 is no bias to the rounding of a float32 score.
func TestOpenGates(t *testing.T) {
	f, err := FoXFromALiBi([]float64{0, 0.5}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if f.C[0] != OpenGate || LogSigmoid(f.C[0])*math.MaxInt32 < -0x1p-26 {
		t.Errorf("gate %v, over every position %v", f.C[0], LogSigmoid(f.C[0])*math.MaxInt32)
	}
}
