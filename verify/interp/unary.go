package interp

import (
	"fmt"
	"math"
)

// unary is the kernel of a function of one float.
func unary(f func(float64) float64) func(*call) ([]*Array, error) {
	return func(c *call) ([]*Array, error) {
		if err := c.need(0, Float); err != nil {
			return nil, err
		}
		return one(apply(c.in[0], Float, f))
	}
}

func sqrt(x float64) float64       { return math.Sqrt(x) }
func exp(x float64) float64        { return math.Exp(x) }
func log(x float64) float64        { return math.Log(x) }
func tanh(x float64) float64       { return math.Tanh(x) }
func erf(x float64) float64        { return math.Erf(x) }
func cos(x float64) float64        { return math.Cos(x) }
func sin(x float64) float64        { return math.Sin(x) }
func floor(x float64) float64      { return math.Floor(x) }
func ceil(x float64) float64       { return math.Ceil(x) }
func reciprocal(x float64) float64 { return 1 / x }

// sigmoid is 1/(1+e^-x), by the exponential that does not overflow.
func sigmoid(x float64) float64 {
	if x >= 0 {
		return 1 / (1 + math.Exp(-x))
	}
	e := math.Exp(x)
	return e / (1 + e)
}

// softplus is ln(1+e^x) = max(x, 0) + ln(1+e^-|x|).
func softplus(x float64) float64 { return math.Max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

// signed is a kernel of a function that floats and integers both have.
func signed(c *call, f func(float64) float64, g func(int64) int64) ([]*Array, error) {
	if err := c.need(0, Float, Int); err != nil {
		return nil, err
	}
	if c.in[0].Kind == Float {
		return one(apply(c.in[0], Float, f))
	}
	return one(apply(c.in[0], Int, g))
}

func neg(c *call) ([]*Array, error) {
	return signed(c, func(x float64) float64 { return -x }, func(x int64) int64 { return -x })
}

func abs(c *call) ([]*Array, error) {
	return signed(c, math.Abs, func(x int64) int64 { return max(x, -x) })
}

func relu(c *call) ([]*Array, error) {
	return signed(c, func(x float64) float64 { return math.Max(x, 0) }, func(x int64) int64 { return max(x, 0) })
}

// gelu is x Φ(x); its approximation replaces Φ by a tanh:
// x/2 (1 + tanh(√(2/π) (x + 0.044715 x³))).
func gelu(c *call) ([]*Array, error) {
	var f func(float64) float64
	switch mode := c.text("approximate", "none"); mode {
	case "none":
		f = func(x float64) float64 { return x / 2 * math.Erfc(-x/math.Sqrt2) }
	case "tanh":
		f = func(x float64) float64 {
			return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
		}
	default:
		return nil, fmt.Errorf("approximate = %q; want none or tanh", mode)
	}
	return unary(f)(c)
}
