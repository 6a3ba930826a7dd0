package tensor

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Rounding is encoding and decoding at once, for lengths beside those of its pieces, and
// in place.
func TestRound64(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, d := range []DType{F64, F32, F16, BF16, F8E4M3, F8E5M2} {
		for _, n := range []int{0, 1, 4095, 4096, 4097, 9000} {
			x := make([]float64, n)
			for i := range x {
				x[i] = math.Ldexp(rng.NormFloat64(), rng.IntN(60)-40)
			}
			raw := make([]byte, n*d.Size())
			want, got := make([]float64, n), make([]float64, n)
			if Encode64(raw, x, d) != nil || Decode64(want, raw, d) != nil {
				t.Fatal(d)
			}
			if err := Round64(got, x, d); err != nil {
				t.Fatal(err)
			}
			if err := Round64(x, x, d); err != nil {
				t.Fatal(err)
			}
			for i := range want {
				if same := func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }; !same(got[i], want[i]) || !same(x[i], want[i]) {
					t.Fatalf("%v: element %d of %d is %v, in place %v: want %v", d, i, n, got[i], x[i], want[i])
				}
			}
		}
	}
	if Round64(make([]float64, 2), make([]float64, 3), F16) == nil || Round64(make([]float64, 2), make([]float64, 3), F32) == nil {
		t.Error("lengths that differ are no error")
	}
	if Round64(make([]float64, 1), []float64{0.5}, I8) == nil {
		t.Error("a half is no integer")
	}
}
