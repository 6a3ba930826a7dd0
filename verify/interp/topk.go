package interp

import (
	"cmp"
	"fmt"
	"slices"
)

// topK gives the k largest elements along an axis, or with largest 0 the smallest,
// and their places, in order; of equals the first one. A NaN, which the operator says
// nothing of, counts as the smallest.
func topK(c *call) ([]*Array, error) {
	if err := c.need(0, Float, Int); err != nil {
		return nil, err
	}
	a := c.in[0]
	ax, err := axis(c.int("axis", -1), len(a.Shape))
	if err != nil {
		return nil, err
	}
	want, err := c.dims(1)
	if err != nil {
		return nil, err
	}
	n := a.Shape[ax]
	if len(want) != 1 || want[0] < 0 || want[0] > n {
		return nil, fmt.Errorf("k %v of %d elements", want, n)
	}
	shape := slices.Clone(a.Shape)
	shape[ax] = want[0]
	values, err := newArray(a.Kind, shape...)
	if err != nil {
		return nil, err
	}
	places, err := newArray(Int, shape...)
	if err != nil {
		return nil, err
	}
	smallest := c.int("largest", 1) == 0
	if a.Kind == Float {
		best(values.F, places.I, a.F, a.Shape, ax, want[0], smallest)
	} else {
		best(values.I, places.I, a.I, a.Shape, ax, want[0], smallest)
	}
	return []*Array{values, places}, nil
}

func best[T float64 | int64](values []T, places []int64, in []T, shape []int, ax, k int, smallest bool) {
	n, inner := shape[ax], count(shape[ax+1:])
	order := make([]int, n)
	for o := range count(shape[:ax]) {
		for j := range inner {
			at := func(i int) int { return (o*n+i)*inner + j }
			for i := range order {
				order[i] = i
			}
			slices.SortStableFunc(order, func(x, y int) int {
				if smallest {
					return cmp.Compare(in[at(x)], in[at(y)])
				}
				return cmp.Compare(in[at(y)], in[at(x)])
			})
			for i, from := range order[:k] {
				to := (o*k+i)*inner + j
				values[to], places[to] = in[at(from)], int64(from)
			}
		}
	}
}
