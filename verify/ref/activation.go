package ref

import (
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/tensor"
)

// activation returns the function an MLP names.
func (r *RunnerOf[T]) activation(f *family.MLP) (func(T) T, error) {
	switch f.Act {
	case "silu":
		if f, ok := any(tensor.SiLU32).(func(T) T); ok {
			return f, nil
		}
		return silu[T], nil
	case "gelu":
		return gelu[T], nil
	case "gelu_tanh":
		return geluTanh[T], nil
	case "relu":
		return relu[T], nil
	case "relu2":
		return func(x T) T { return relu(x) * relu(x) }, nil
	case "xielu":
		if f.XIELU != nil {
			return r.xielu(f.XIELU)
		}
	}
	return nil, fmt.Errorf("activation %q: expected silu, gelu, gelu_tanh, relu, relu2 or xielu with its numbers", f.Act)
}

// relu is max(x, 0).
func relu[T Float](x T) T { return max(x, 0) }

// silu is x σ(x) (arXiv 1702.03118).
func silu[T Float](x T) T { return x / (1 + exp(-x)) }

// sigmoid is 1 / (1 + e^−x).
func sigmoid[T Float](x T) T { return 1 / (1 + exp(-x)) }

// softplus is ln(1 + e^x).
func softplus[T Float](x T) T { return max(x, 0) + T(math.Log1p(math.Exp(-math.Abs(float64(x))))) }

// clamped is g σ(alpha g) (u + offset), g at most the limit and u within it (arXiv
// 2508.10925).
func clamped[T Float](c *family.Clamp) func(gate, up T) T {
	limit, alpha, offset := T(c.Limit), T(c.Alpha), T(c.Offset)
	return func(gate, up T) T {
		gate, up = min(gate, limit), min(max(up, -limit), limit)
		return gate * sigmoid(alpha*gate) * (up + offset)
	}
}

// gelu is x Φ(x), Φ the normal distribution (arXiv 1606.08415). Erfc keeps the
// digits of the left tail, which 1 + erf loses.
func gelu[T Float](x T) T { return 0.5 * x * T(math.Erfc(float64(-x/math.Sqrt2))) }

// geluTanh is gelu's approximation by tanh (arXiv 1606.08415).
func geluTanh[T Float](x T) T {
	inner := T(math.Sqrt(2/math.Pi)) * (x + 0.044715*x*x*x)
	return 0.5 * x * (1 + T(math.Tanh(float64(inner))))
}

// xielu reads the numbers of the activation (arXiv 2411.13010). Expm1 keeps the
// digits near 0.
func (r *RunnerOf[T]) xielu(x *family.XIELU) (func(T) T, error) {
	var numbers [4]T
	for i, w := range []*family.Weight{&x.AlphaP, &x.AlphaN, &x.Beta, &x.Eps} {
		v, err := r.vector(w)
		if err != nil {
			return nil, err
		}
		if len(v) != 1 {
			return nil, fmt.Errorf("tensor %q: %d numbers: expected one", w.Tensor, len(v))
		}
		numbers[i] = v[0]
	}
	beta, eps := numbers[2], numbers[3]
	positive, negative := softplus(numbers[0]), beta+softplus(numbers[1])
	return func(x T) T {
		if x > 0 {
			return positive*x*x + beta*x
		}
		return negative*(T(math.Expm1(float64(min(x, eps))))-x) + beta*x
	}, nil
}
