package posenc

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/pecvt/pecvt/convert/tensor"
)

// Values by decimal arithmetic with 40 digits.
func TestGates(t *testing.T) {
	for _, c := range []struct{ x, softplus, sigmoid float64 }{
		{0, 0.693147180559945309417, 0.5},
		{1, 1.31326168751822283405, 0.731058578630004879251},
		{-1, 0.313261687518222834049, 0.268941421369995120749},
		{-40, 4.24835425529158898630e-18, 4.24835425529158897728e-18},
		{-700, 9.85967654375977085671e-305, 9.85967654375977085671e-305},
		{40, 40.0000000000000000042, 1},
		{800, 800, 1},
		{-800, 0, 0},
		{math.Inf(1), math.Inf(1), 1},
		{math.Inf(-1), 0, 0},
	} {
		for what, v := range map[string][2]float64{
			"softplus": {Softplus(c.x), c.softplus}, "sigmoid": {Sigmoid(c.x), c.sigmoid}, "log sigmoid": {LogSigmoid(-c.x), -c.softplus},
		} {
			if v[0] != v[1] && !(math.Abs(v[0]-v[1]) <= 4e-16*math.Abs(v[1])) {
				t.Errorf("%s of ±%v is %.17g, want %.17g", what, c.x, v[0], v[1])
			}
		}
	}
	if !math.IsInf(SoftplusInverse(0), -1) {
		t.Errorf("inverse of 0 is %v", SoftplusInverse(0))
	}
	rapid.Check(t, func(t *rapid.T) {
		y := math.Exp(rapid.Float64Range(-300, 6).Draw(t, "log y"))
		x := SoftplusInverse(y)
		// softplus'(x)·x relative to y: how much a last digit of x weighs
		weight := max(1, Sigmoid(x)*math.Abs(x)/y)
		if got := Softplus(x); math.Abs(got-y) > 8e-16*weight*y {
			t.Errorf("softplus of the inverse of %v is %v", y, got)
		}
		if got := LogSigmoid(x); got > 0 {
			t.Errorf("log sigmoid of %v is positive: %v", x, got)
		}
	})
}

// TestRoundAgainstTensor compares with the types' own encoders.
func TestRoundAgainstTensor(t *testing.T) {
	types := map[Precision]tensor.DType{Float16: tensor.F16, BFloat16: tensor.BF16}
	units := map[Precision]float64{Float16: 0x1p-11, BFloat16: 0x1p-8}
	stored := func(x float64, d tensor.DType) float64 {
		raw, out := make([]byte, d.Size()), make([]float64, 1)
		if err := tensor.Encode64(raw, []float64{x}, d); err != nil {
			t.Fatal(err)
		}
		if err := tensor.Decode64(out, raw, d); err != nil {
			t.Fatal(err)
		}
		return out[0]
	}
	for p, d := range types {
		edge := []float64{0, 1, 1 + units[p], 1 + 3*units[p], 65504, 65519.999, 65520, 1e-8, 0x1p-24, 0x1p-25, 0x1.8p-25, 0x1p-126, 0x1p-133, 0x1p-134, 3e38, 3.4e38, 1e39}
		for _, x := range edge {
			for _, x := range []float64{x, -x} {
				if got, want := p.Round(x), stored(x, d); got != want {
					t.Errorf("%d: of %v it makes %v, want %v", d, x, got, want)
				}
			}
		}
		rapid.Check(t, func(t *rapid.T) {
			x := math.Ldexp(rapid.Float64Range(-2, 2).Draw(t, "x"), rapid.IntRange(-150, 130).Draw(t, "e"))
			if got, want := p.Round(x), stored(x, d); got != want {
				t.Errorf("%d: of %v it makes %v, want %v", d, x, got, want)
			}
		})
	}
	if !math.IsNaN(Float16.Round(math.NaN())) {
		t.Error("not a number was changed")
	}
}
