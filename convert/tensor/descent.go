package tensor

import "math"

// Moments32 takes a gradient into the two moments of Adam (arXiv 1412.6980),
//
//	m = β1 m + (1 − β1) g,  v = β2 v + (1 − β2) g g
//
// of as many numbers, and returns Σ v in float64, whose last digits depend on the
// processor.
func Moments32(m, v, g []float32, beta1, beta2 float32) float64 {
	var sum float64
	v, g = v[:len(m)], g[:len(m)]
	if n := len(m) &^ 7; vectors && n > 0 {
		sum = moments32(n, &m[0], &v[0], &g[0], beta1, beta2)
		m, v, g = m[n:], v[n:], g[n:]
	}
	for i, x := range g {
		m[i] = float32(beta1*m[i]) + float32(float32(1-beta1)*x)
		v[i] = float32(beta2*v[i]) + float32(float32(float32(1-beta2)*x)*x)
		sum += float64(v[i])
	}
	return sum
}

// Descend32 takes the step w −= rate m / (√v·root + ε) of as many numbers.
func Descend32(w, m, v []float32, rate, root, eps float32) {
	m, v = m[:len(w)], v[:len(w)]
	if n := len(w) &^ 7; vectors && n > 0 {
		descend32(n, &w[0], &m[0], &v[0], rate, root, eps)
		w, m, v = w[n:], m[n:], v[n:]
	}
	for i := range w {
		w[i] -= float32(rate*m[i]) / (float32(float32(math.Sqrt(float64(v[i])))*root) + eps)
	}
}
