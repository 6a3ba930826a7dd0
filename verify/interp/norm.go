package interp

import (
	"errors"
	"fmt"
	"math"
)

// normAxis is where normalization begins: all axes from it on are one group.
func normAxis(c *call) (outer, n int, err error) {
	if err := c.needAll(Float); err != nil {
		return 0, 0, err
	}
	shape := c.in[0].Shape
	ax, err := axis(c.int("axis", -1), len(shape))
	if err != nil {
		return 0, 0, err
	}
	return ax, count(shape[ax:]), nil
}

// parameter is input i as one number for each of the n elements of a group:
// it stretches to the normalized axes.
func parameter(c *call, i, ax int) ([]float64, error) {
	p := c.arg(i)
	if p == nil {
		return nil, nil
	}
	group := c.in[0].Shape[ax:]
	joined, err := broadcastShape(p.Shape, group)
	if err != nil || !equalShape(joined, group) {
		return nil, fmt.Errorf("input %d is %v; want a shape that stretches to the normalized %v", i, p, group)
	}
	full, err := gathered(p, view{0, broadcastStrides(p.Shape, group)}, group)
	if err != nil {
		return nil, err
	}
	return full.F, nil
}

// perGroup is the shape of a statistic: 1 along the normalized axes.
func perGroup(shape []int, ax int) []int {
	out := make([]int, len(shape))
	for i := range shape {
		out[i] = 1
		if i < ax {
			out[i] = shape[i]
		}
	}
	return out
}

// rmsNorm is scale · x / √(mean(x²) + ε) over the axes from axis on; output 1
// of the SimplifiedLayerNormalization form is 1/√(mean(x²) + ε).
func rmsNorm(c *call) ([]*Array, error) {
	ax, n, err := normAxis(c)
	if err != nil {
		return nil, err
	}
	if c.arg(1) == nil {
		return nil, errors.New("scale is missing")
	}
	scale, err := parameter(c, 1, ax)
	if err != nil {
		return nil, err
	}
	y, inverse, err := rms(c.in[0], ax, n, scale, c.number("epsilon", defaultEpsilon))
	return []*Array{y, inverse}, err
}

// ONNX's default 1e-5 is a float32.
var defaultEpsilon = float64(float32(1e-5))

func rms(x *Array, ax, n int, scale []float64, epsilon float64) (y, inverse *Array, err error) {
	if y, err = newArray(Float, x.Shape...); err != nil {
		return nil, nil, err
	}
	if inverse, err = newArray(Float, perGroup(x.Shape, ax)...); err != nil {
		return nil, nil, err
	}
	for g := range inverse.F {
		in, out := x.F[g*n:(g+1)*n], y.F[g*n:(g+1)*n]
		sum := 0.0
		for _, v := range in {
			sum += v * v
		}
		r := 1 / math.Sqrt(sum/float64(n)+epsilon)
		inverse.F[g] = r
		for i, v := range in {
			out[i] = v * r * scale[i]
		}
	}
	return y, inverse, nil
}

// skipRMSNorm (com.microsoft) is rmsNorm of input + skip + bias, a sum that is
// output 3. It always runs over the last axis. skip may lack the batch.
func skipRMSNorm(c *call) ([]*Array, error) {
	ax, n, err := normAxis(c)
	if err != nil {
		return nil, err
	}
	x := c.in[0]
	for _, i := range []int{1, 3} {
		if c.arg(i) == nil {
			continue
		}
		sum, err := combine(x, c.in[i], Float, func(a, b float64) float64 { return a + b })
		if err != nil {
			return nil, err
		}
		if !equalShape(sum.Shape, x.Shape) {
			return nil, fmt.Errorf("input %d does not stretch to the first", i)
		}
		x = sum
	}
	if c.arg(1) == nil || c.arg(2) == nil {
		return nil, errors.New("skip or gamma is missing")
	}
	scale, err := parameter(c, 2, ax)
	if err != nil {
		return nil, err
	}
	y, inverse, err := rms(x, ax, n, scale, c.number("epsilon", float64(float32(1e-12))))
	if err != nil {
		return nil, err
	}
	return []*Array{y, nil, inverse, x}, nil
}

// layerNorm is scale · (x - μ)/√(σ² + ε) + bias; outputs 1 and 2 are μ and
// 1/√(σ² + ε).
func layerNorm(c *call) ([]*Array, error) {
	ax, n, err := normAxis(c)
	if err != nil {
		return nil, err
	}
	if c.arg(1) == nil {
		return nil, errors.New("scale is missing")
	}
	scale, err := parameter(c, 1, ax)
	if err != nil {
		return nil, err
	}
	bias, err := parameter(c, 2, ax)
	if err != nil {
		return nil, err
	}
	x, epsilon := c.in[0], c.number("epsilon", defaultEpsilon)
	y, err := newArray(Float, x.Shape...)
	if err != nil {
		return nil, err
	}
	mean, err := newArray(Float, perGroup(x.Shape, ax)...)
	if err != nil {
		return nil, err
	}
	inverse, err := newArray(Float, mean.Shape...)
	if err != nil {
		return nil, err
	}
	for g := range mean.F {
		in, out := x.F[g*n:(g+1)*n], y.F[g*n:(g+1)*n]
		sum := 0.0
		for _, v := range in {
			sum += v
		}
		mu := sum / float64(n)
		sum = 0
		for _, v := range in {
			sum += (v - mu) * (v - mu)
		}
		r := 1 / math.Sqrt(sum/float64(n)+epsilon)
		mean.F[g], inverse.F[g] = mu, r
		for i, v := range in {
			out[i] = (v - mu) * r * scale[i]
			if bias != nil {
				out[i] += bias[i]
			}
		}
	}
	return []*Array{y, mean, inverse}, nil
}
