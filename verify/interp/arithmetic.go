package interp

import (
	"errors"
	"fmt"
	"math"
)

// arithmetic runs one of two functions on the broadcast of two numeric inputs
// of one kind.
func arithmetic(c *call, f func(a, b float64) float64, g func(a, b int64) int64) ([]*Array, error) {
	k, err := c.sameKind(Float, Int)
	if err != nil {
		return nil, err
	}
	if k == Float {
		return one(combine(c.in[0], c.in[1], Float, f))
	}
	return one(combine(c.in[0], c.in[1], Int, g))
}

func add(c *call) ([]*Array, error) {
	return arithmetic(c, func(a, b float64) float64 { return a + b }, func(a, b int64) int64 { return a + b })
}

func sub(c *call) ([]*Array, error) {
	return arithmetic(c, func(a, b float64) float64 { return a - b }, func(a, b int64) int64 { return a - b })
}

func mul(c *call) ([]*Array, error) {
	return arithmetic(c, func(a, b float64) float64 { return a * b }, func(a, b int64) int64 { return a * b })
}

// div truncates integers toward zero; by zero it is an error.
func div(c *call) ([]*Array, error) {
	if b := c.arg(1); b != nil && b.Kind == Int {
		for _, x := range b.I {
			if x == 0 {
				return nil, errors.New("integer division by zero")
			}
		}
	}
	return arithmetic(c, func(a, b float64) float64 { return a / b }, func(a, b int64) int64 { return a / b })
}

// pow has the type of its base; the exponent's may differ.
func pow(c *call) ([]*Array, error) {
	if err := c.needAll(Float, Int); err != nil {
		return nil, err
	}
	base, exponent := toFloat(c.in[0]), toFloat(c.in[1])
	out, err := combine(base, exponent, Float, math.Pow)
	if err != nil || c.in[0].Kind == Float {
		return one(out, err)
	}
	return one(truncate(out, math.MinInt64, math.MaxInt64))
}

func toFloat(a *Array) *Array {
	if a.Kind == Float {
		return a
	}
	f := make([]float64, len(a.I))
	for i, x := range a.I {
		f[i] = float64(x)
	}
	return Floats(f, a.Shape...)
}

// truncate rounds toward zero to integers of [lo, hi].
func truncate(a *Array, lo, hi int64) (*Array, error) {
	out := make([]int64, len(a.F))
	for i, x := range a.F {
		t := math.Trunc(x)
		// 2^63 is a float64 and math.MaxInt64 is not: hence the strict bound.
		if !(t >= float64(lo) && (t <= float64(hi) && t < 1<<63)) {
			return nil, fmt.Errorf("element %d is %v, outside the integer type's [%d, %d]", i, x, lo, hi)
		}
		out[i] = int64(t)
	}
	return Ints(out, a.Shape...), nil
}

// fold applies a binary operator from left to right.
func fold(c *call, f func(a, b float64) float64, g func(a, b int64) int64) ([]*Array, error) {
	k, err := c.sameKind(Float, Int)
	if err != nil {
		return nil, err
	}
	out := c.in[0]
	for _, x := range c.in[1:] {
		if x == nil {
			return nil, errors.New("an input is missing")
		}
		if k == Float {
			out, err = combine(out, x, Float, f)
		} else {
			out, err = combine(out, x, Int, g)
		}
		if err != nil {
			return nil, err
		}
	}
	return []*Array{out}, nil
}

func minimum(c *call) ([]*Array, error) {
	return fold(c, math.Min, func(a, b int64) int64 { return min(a, b) })
}

func maximum(c *call) ([]*Array, error) {
	return fold(c, math.Max, func(a, b int64) int64 { return max(a, b) })
}

// clip limits to [min, max]; a bound left out does not limit.
func clip(c *call) ([]*Array, error) {
	k, err := c.sameKind(Float, Int)
	if err != nil {
		return nil, err
	}
	out := c.in[0]
	for i, f := range []func(a, b float64) float64{1: math.Max, 2: math.Min} {
		bound := c.arg(i)
		if i == 0 || bound == nil {
			continue
		}
		if bound.Len() != 1 {
			return nil, fmt.Errorf("input %d is %v; want one element", i, bound)
		}
		bound = bound.reshaped(nil)
		if k == Float {
			out, err = combine(out, bound, Float, f)
		} else if i == 1 {
			out, err = combine(out, bound, Int, func(a, b int64) int64 { return max(a, b) })
		} else {
			out, err = combine(out, bound, Int, func(a, b int64) int64 { return min(a, b) })
		}
		if err != nil {
			return nil, err
		}
	}
	return []*Array{out}, nil
}
