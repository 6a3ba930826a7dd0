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
	types := map[Precision]tensor.DType{Float16: tensor.F16, BFloat16: tensor.BF16, Float32: tensor.F32}
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
		edge := []float64{0, 1, 1 + p.Unit(), 1 + 3*p.Unit(), 65504, 65519.999, 65520, 1e-8, 0x1p-24, 0x1p-25, 0x1.8p-25, 0x1p-126, 0x1p-133, 0x1p-134, 3e38, 3.4e38, 1e39}
		for _, x := range edge {
			for _, x := range []float64{x, -x} {
				if got, want := p.Round(x), stored(x, d); got != want {
					t.Errorf("%s of %v is %v, want %v", p, x, got, want)
				}
			}
		}
		rapid.Check(t, func(t *rapid.T) {
			x := math.Ldexp(rapid.Float64Range(-2, 2).Draw(t, "x"), rapid.IntRange(-150, 130).Draw(t, "e"))
			if got, want := p.Round(x), stored(x, d); got != want {
				t.Errorf("%s of %v is %v, want %v", p, x, got, want)
			}
		})
	}
	if !math.IsNaN(Float16.Round(math.NaN())) || Float64.Round(0.1) != 0.1 {
		t.Error("not a number, or float64, was changed")
	}
}

func TestDigits(t *testing.T) {
	for _, c := range []struct {
		p            Precision
		length, want int
	}{
		{Float64, 1 << 20, 1}, {Float32, 1 << 24, 1}, {Float32, 1<<24 + 2, 0},
		{Float16, 2049, 1}, {Float16, 2050, 2}, {Float16, 1 << 17, 2}, {Float16, 524544, 2}, {Float16, 524545, 0},
		{BFloat16, 257, 1}, {BFloat16, 258, 2}, {BFloat16, 65792, 2}, {BFloat16, 65793, 3}, {BFloat16, 1 << 24, 3}, {BFloat16, 1 << 25, 0},
	} {
		n, err := c.p.digits(c.length)
		if n != c.want || (err == nil) != (c.want > 0) {
			t.Errorf("%s, %d positions: %d digits, %v; want %d", c.p, c.length, n, err, c.want)
			continue
		}
		for _, pos := range []int64{0, 1, 255, 256, int64(c.length) - 1} {
			sum := 0.0
			for d := range n {
				v := digit(pos, d, n)
				if c.p.Round(v) != v {
					t.Errorf("%s: digit %d of %d is %v", c.p, d, pos, v)
				}
				sum += v * base(d)
			}
			if n > 0 && pos < int64(c.length) && sum != float64(pos) {
				t.Errorf("%s: the digits of %d make %v", c.p, pos, sum)
			}
		}
	}
}
