package tensor

import (
	"math"
	"math/rand/v2"
	"testing"
)

// numbers draws n of them, with NaN, infinite numbers and zeros of both signs among
// them where special is set.
func numbers(rng *rand.Rand, n int, special bool) []float32 {
	odd := []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 0, float32(math.Copysign(0, -1)), 1e-40, -1e-40, 88, -88, 3e38, -3e38}
	x := make([]float32, n)
	for i := range x {
		if x[i] = float32(rng.NormFloat64() * 8); special && rng.IntN(6) == 0 {
			x[i] = odd[rng.IntN(len(odd))]
		}
	}
	return x
}

// alike compares bits; any NaN is as good as another.
func alike(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}

// TestRows: every form of the code has the bits of the formula, at every length.
func TestRows(t *testing.T) {
	byCode(func(code string) {
		rng := rand.New(rand.NewPCG(1, 2))
		for n := range 140 {
			x, y := numbers(rng, n, n%3 == 0), numbers(rng, n, n%5 == 0)
			f := float32(rng.NormFloat64())
			check := func(what string, got []float32, want func(i int) float32) {
				t.Helper()
				for i, v := range got {
					if !alike(v, want(i)) {
						t.Fatalf("%s: %s, %d of %d: %v of %v and %v, expected %v", code, what, i, n, v, x[i], y[i], want(i))
					}
				}
			}
			got := append([]float32(nil), x...)
			Scale32(got, f)
			check("scale", got, func(i int) float32 { return x[i] * f })
			clear(got)
			Between32(got, x, y, f)
			check("between", got, func(i int) float32 { return (x[i] - y[i]) * f })
			copy(got, x)
			Between32(got, got, y, f)
			check("between, in place", got, func(i int) float32 { return (x[i] - y[i]) * f })
			copy(got, x)
			Gate32(got, y)
			check("gate", got, func(i int) float32 { return x[i] * SiLU32(y[i]) })
			if n == 0 {
				continue
			}
			top := x[0]
			for _, v := range x {
				if v > top || v != v {
					top = v
				}
			}
			if got := Max32(x); got != top && !(got != got && top != top) {
				t.Fatalf("%s: the largest of %v is %v, expected %v", code, x, got, top)
			}
			var sum, size float64
			for i := range x {
				sum += float64(x[i]) * float64(y[i])
				size += math.Abs(float64(x[i]) * float64(y[i]))
			}
			if got := Dot32(x, y); !(math.Abs(got-sum) <= float64(n)*0x1p-52*size) && !(got != got && sum != sum) && got != sum {
				t.Fatalf("%s: dot of %d is %v, expected %v", code, n, got, sum)
			}
		}
	})
}

// TestSiLU32: against the library's exponential.
func TestSiLU32(t *testing.T) {
	for x := float32(-90); x < 90; x += 0.0173 {
		want := float64(x) / (1 + math.Exp(-float64(x)))
		if got := float64(SiLU32(x)); math.Abs(got-want) > 5e-7*math.Abs(want) && x > -80 || math.Abs(got-want) > 1e-30 && x <= -80 {
			t.Fatalf("silu(%v) = %v, expected %v", x, got, want)
		}
	}
}

// BenchmarkRows: one row of scores, in memory near by.
func BenchmarkRows(b *testing.B) {
	x, y := numbers(rand.New(rand.NewPCG(1, 2)), 4096, false), make([]float32, 4096)
	byCode(func(code string) {
		for name, run := range map[string]func(){
			"max":     func() { Max32(x) },
			"scale":   func() { Scale32(y, 1) },
			"between": func() { Between32(y, x, y, 1) },
			"dot":     func() { Dot32(x, y) },
			"gate":    func() { Gate32(y, x) },
			"exp":     func() { copy(y, x); Exps32(y, 40) },
		} {
			b.Run(name+"/"+code, func(b *testing.B) {
				for b.Loop() {
					run()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(x)), "ns/number")
			})
		}
	})
}
