package ref

import (
	"fmt"
	"math"
)

// activation returns the function an MLP names.
func activation[T Float](name string) (func(T) T, error) {
	switch name {
	case "silu":
		return silu[T], nil
	case "gelu":
		return gelu[T], nil
	case "gelu_tanh":
		return geluTanh[T], nil
	case "relu":
		return relu[T], nil
	case "relu2":
		return func(x T) T { return relu(x) * relu(x) }, nil
	}
	return nil, fmt.Errorf("activation %q: expected silu, gelu, gelu_tanh, relu or relu2", name)
}

// relu is max(x, 0).
func relu[T Float](x T) T { return max(x, 0) }

// silu is x σ(x) (arXiv 1702.03118).
func silu[T Float](x T) T { return x / (1 + exp(-x)) }

// sigmoid is 1 / (1 + e^−x).
func sigmoid[T Float](x T) T { return 1 / (1 + exp(-x)) }

// gelu is x Φ(x), Φ the normal distribution (arXiv 1606.08415). Erfc keeps the
// digits of the left tail, which 1 + erf loses.
func gelu[T Float](x T) T { return 0.5 * x * T(math.Erfc(float64(-x/math.Sqrt2))) }

// geluTanh is gelu's approximation by tanh (arXiv 1606.08415).
func geluTanh[T Float](x T) T {
	inner := T(math.Sqrt(2/math.Pi)) * (x + 0.044715*x*x*x)
	return 0.5 * x * (1 + T(math.Tanh(float64(inner))))
}
