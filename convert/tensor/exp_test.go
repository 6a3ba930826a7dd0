package tensor

import (
	"math"
	"testing"
)

// TestExp32: the fast exponential against the library's.
func TestExp32(t *testing.T) {
	for x := float32(0); x > -90; x -= 0.0137 {
		want := math.Exp(float64(x))
		if got := float64(Exp32(x)); math.Abs(got-want) > 3e-7*want && x > -87 {
			t.Fatalf("exp(%v) = %v, want %v", x, got, want)
		}
	}
	if Exp32(0) != 1 || Exp32(-100) != 0 || Exp32(float32(math.Inf(-1))) != 0 || Exp32(float32(math.NaN())) == Exp32(float32(math.NaN())) {
		t.Error("the ends are wrong")
	}
}

// TestExps32: the vector code's bits are Exp32's, at every length.
func TestExps32(t *testing.T) {
	byCode(func(string) { testExps32(t) })
}

func testExps32(t *testing.T) {
	t.Helper()
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	special := []float32{0, -87, -86.99999, -87.00001, -88, -1e30, -inf, nan, -1e-40, -0.34657359, -1, -50.5}
	for n := range 70 {
		x := make([]float32, n)
		for i := range x {
			x[i] = -float32(i*i) * 0.0173 * float32(n)
			if (i+n)%5 == 0 {
				x[i] = special[(i+n)/5%len(special)]
			}
		}
		const top = 0.25
		want, total := make([]float32, n), 0.0
		for i, v := range x {
			want[i] = Exp32(v - top)
			total += float64(want[i])
		}
		sum := Exps32(x, top)
		for i, v := range x {
			if math.Float32bits(v) != math.Float32bits(want[i]) && !(v != v && want[i] != want[i]) {
				t.Fatalf("%d of %d: %v, expected %v", i, n, v, want[i])
			}
		}
		if diff := math.Abs(sum - total); diff > 1e-12*total || (sum != sum) != (total != total) {
			t.Fatalf("%d: sum %v, expected %v", n, sum, total)
		}
	}
}
