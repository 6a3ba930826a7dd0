package eval

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestExp(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 1 << 18 {
		x := -rng.Float64() * math.Pow(10, 3*rng.Float64()-1) * 6.9
		if got, want := expOf(x), math.Exp(x); math.Abs(got-want) > 1e-15*want {
			t.Fatalf("exp(%v) is %v, want %v", x, got, want)
		}
	}
	for x, want := range map[float64]float64{0: 1, math.Inf(-1): 0, -701: 0, -1e300: 0} {
		if got := expOf(x); got != want {
			t.Errorf("exp(%v) is %v, want %v", x, got, want)
		}
	}
	if !math.IsNaN(expOf(math.NaN())) {
		t.Error("exp(NaN) is a number")
	}
}

// TestDivergence: the divergence of two rows is the sum it stands for.
func TestDivergence(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		q, p, e := make([]float64, 300), make([]float64, 300), make([]float64, 300)
		for v := range q {
			q[v] = 5 * rng.NormFloat64()
			p[v] = q[v] + 0.1*rng.NormFloat64() - 3
		}
		dq, dp := describe(q, e), describe(p, nil)
		want := 0.0
		for v := range q {
			a, b := q[v]-dq.lse, p[v]-dp.lse
			want += math.Exp(a) * (a - b)
		}
		if got := divergence(q, e, dq, p, dp); math.Abs(got-want) > 1e-13 {
			t.Errorf("divergence %v, want %v", got, want)
		}
		if got := divergence(q, e, dq, q, describe(q, nil)); got > 1e-14 {
			t.Errorf("divergence from itself %v", got)
		}
	}
}
