package ref

import (
	"fmt"
	"math"
)

// activation returns the function an MLP names.
func activation(name string) (func(float64) float64, error) {
	switch name {
	case "silu":
		return silu, nil
	case "gelu":
		return gelu, nil
	case "gelu_tanh":
		return geluTanh, nil
	}
	return nil, fmt.Errorf("activation %q: expected silu, gelu or gelu_tanh", name)
}

// silu is x σ(x) (arXiv 1702.03118).
func silu(x float64) float64 { return x / (1 + math.Exp(-x)) }

// gelu is x Φ(x), Φ the normal distribution (arXiv 1606.08415). Erfc keeps the
// digits of the left tail, which 1 + erf loses.
func gelu(x float64) float64 { return 0.5 * x * math.Erfc(-x/math.Sqrt2) }

// geluTanh is gelu's approximation by tanh (arXiv 1606.08415).
func geluTanh(x float64) float64 {
	return 0.5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
}
