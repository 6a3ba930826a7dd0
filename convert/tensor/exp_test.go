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
