package posenc

import "math"

// Softplus is log(1 + e^x), without overflow and exact for very negative x.
func Softplus(x float64) float64 {
	return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x)))
}

// SoftplusInverse returns x with Softplus(x) = y, for y > 0; −Inf for 0.
func SoftplusInverse(y float64) float64 {
	if y > 1 {
		return y + math.Log1p(-math.Exp(-y))
	}
	return math.Log(math.Expm1(y))
}

// LogSigmoid is log σ(x) = −Softplus(−x): never positive, and x itself for very
// negative x.
func LogSigmoid(x float64) float64 { return -Softplus(-x) }

// Sigmoid is σ(x) = 1/(1 + e^−x).
func Sigmoid(x float64) float64 {
	if x < 0 {
		e := math.Exp(x)
		return e / (1 + e)
	}
	return 1 / (1 + math.Exp(-x))
}
