package tensor

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestDescent: every form of the code has the bits of the formula, at every length.
func TestDescent(t *testing.T) {
	const beta1, beta2 = float32(.9), float32(.98)
	byCode(func(code string) {
		rng := rand.New(rand.NewPCG(5, 6))
		for n := range 70 {
			m, v, g, w := numbers(rng, n, false), numbers(rng, n, false), numbers(rng, n, n%5 == 0), numbers(rng, n, false)
			for i := range v {
				v[i] *= v[i]
			}
			rate, root, eps := rng.Float32(), 1+rng.Float32(), 1e-3*rng.Float32()
			first, second, to := append([]float32(nil), m...), append([]float32(nil), v...), append([]float32(nil), w...)
			sum := Moments32(first, second, g, beta1, beta2)
			Descend32(to, first, second, rate, root, eps)
			var total float64
			for i, x := range g {
				a, b := float32(beta1*m[i]), float32(float32(1-beta1)*x)
				if want := a + b; !alike(first[i], want) {
					t.Fatalf("%s: first moment %d of %d: %v, expected %v", code, i, n, first[i], want)
				}
				a, b = float32(beta2*v[i]), float32(float32(float32(1-beta2)*x)*x)
				if want := a + b; !alike(second[i], want) {
					t.Fatalf("%s: second moment %d of %d: %v, expected %v", code, i, n, second[i], want)
				}
				total += float64(second[i])
				below := float32(float32(math.Sqrt(float64(second[i])))*root) + eps
				if want := w[i] - float32(rate*first[i])/below; !alike(to[i], want) {
					t.Fatalf("%s: number %d of %d: %v, expected %v", code, i, n, to[i], want)
				}
			}
			if !(math.Abs(sum-total) <= 1e-14*total) && !(sum != sum && total != total) && sum != total {
				t.Fatalf("%s: the sum of %d second moments is %v, expected %v", code, n, sum, total)
			}
		}
	})
}
