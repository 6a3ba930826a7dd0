package interp

import "math"

// softmax along one axis: e^(x - max) over its sum.
func softmax(c *call) ([]*Array, error) {
	if err := c.need(0, Float); err != nil {
		return nil, err
	}
	a := c.in[0]
	ax, err := axis(c.int("axis", -1), len(a.Shape))
	if err != nil {
		return nil, err
	}
	out, err := newArray(Float, a.Shape...)
	if err != nil {
		return nil, err
	}
	n, inner := a.Shape[ax], count(a.Shape[ax+1:])
	row := make([]float64, n)
	for o := range count(a.Shape[:ax]) {
		for j := range inner {
			at := o*n*inner + j
			for k := range row {
				row[k] = a.F[at+k*inner]
			}
			softmaxRow(row)
			for k, x := range row {
				out.F[at+k*inner] = x
			}
		}
	}
	return []*Array{out}, nil
}

// softmaxRow replaces x by its softmax. A row of -Inf alone comes out as NaN:
// what a row without a single key means is for the caller to say.
func softmaxRow(x []float64) {
	top := math.Inf(-1)
	for _, v := range x {
		top = math.Max(top, v)
	}
	sum := 0.0
	for i, v := range x {
		x[i] = math.Exp(v - top)
		sum += x[i]
	}
	for i := range x {
		x[i] /= sum
	}
}
