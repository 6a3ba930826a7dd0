package interp

import (
	"errors"
	"fmt"
	"math"
)

// reduction folds the elements along the reduced axes.
type reduction struct {
	float func(acc, x float64) float64
	int   func(acc, x int64) int64
	first bool // start from the first element instead: empty is an error
	mean  bool
}

var (
	sumOf  = reduction{float: func(a, x float64) float64 { return a + x }, int: func(a, x int64) int64 { return a + x }}
	meanOf = reduction{float: sumOf.float, int: sumOf.int, mean: true}
	maxOf  = reduction{float: math.Max, int: func(a, x int64) int64 { return max(a, x) }, first: true}
	minOf  = reduction{float: math.Min, int: func(a, x int64) int64 { return min(a, x) }, first: true}
)

// axesAsInput is the operator set that made the axes of reductions an input; those
// of ReduceSum were one already.
const axesAsInput = 18

// reducedAxes are the axes that a reduction names, as input 1 or, in older operator
// sets, as an attribute.
func (c *call) reducedAxes() ([]int, error) {
	old := c.opset < axesAsInput && c.op != "ReduceSum"
	switch {
	case c.has("axes") && !old:
		return nil, fmt.Errorf("attribute axes is of operator sets before %d, the model imports %d", axesAsInput, c.opset)
	case c.arg(1) != nil && old:
		return nil, fmt.Errorf("axes as an input need operator set %d, the model imports %d", axesAsInput, c.opset)
	case old:
		return c.ints("axes"), nil
	}
	return c.dims(1)
}

// reduce is the kernel of r over the axes that the node names; without them, over
// all axes, or none if noop_with_empty_axes.
func reduce(r reduction) func(*call) ([]*Array, error) {
	return func(c *call) ([]*Array, error) {
		if err := c.need(0, Float, Int); err != nil {
			return nil, err
		}
		a := c.in[0]
		rank := len(a.Shape)
		list, err := c.reducedAxes()
		if err != nil {
			return nil, err
		}
		if len(list) == 0 {
			if c.int("noop_with_empty_axes", 0) != 0 {
				return []*Array{a}, nil
			}
			for i := range rank {
				list = append(list, i)
			}
		}
		over, err := axes(list, rank)
		if err != nil {
			return nil, err
		}
		kept, final, n := make([]int, rank), []int{}, 1
		for i, d := range a.Shape {
			kept[i] = d
			if over[i] {
				kept[i] = 1
				n *= d
			}
			if !over[i] || c.int("keepdims", 1) != 0 {
				final = append(final, kept[i])
			}
		}
		out, err := newArray(a.Kind, kept...)
		if err != nil {
			return nil, err
		}
		if n == 0 && out.Len() > 0 && (r.first || r.mean) {
			return nil, errors.New("nothing to reduce")
		}
		to := broadcastStrides(kept, a.Shape)
		if a.Kind == Float {
			reduceInto(out.F, a.F, a.Shape, to, r.float, r.first)
			for i := range out.F {
				if r.mean {
					out.F[i] /= float64(n)
				}
			}
		} else {
			reduceInto(out.I, a.I, a.Shape, to, r.int, r.first)
			for i := range out.I {
				if r.mean {
					out.I[i] /= int64(n)
				}
			}
		}
		return []*Array{out.reshaped(final)}, nil
	}
}

func reduceInto[T element](out, in []T, shape, to []int, f func(acc, x T) T, first bool) {
	step := lastStep(to)
	var started []bool
	if first {
		started = make([]bool, len(out))
	}
	walk(shape, [][]int{to}, func(at int, from []int, n int) {
		j := from[0]
		for k := range n {
			if first && !started[j] {
				out[j], started[j] = in[at+k], true
			} else {
				out[j] = f(out[j], in[at+k])
			}
			j += step
		}
	})
}

// cumSum is the running sum along an axis: of what precedes an element only
// (exclusive), or from the far end (reverse).
func cumSum(c *call) ([]*Array, error) {
	if err := c.need(0, Float, Int); err != nil {
		return nil, err
	}
	given, err := c.scalar(1)
	if err != nil {
		return nil, err
	}
	a := c.in[0]
	if given < -math.MaxInt32 || given > math.MaxInt32 {
		return nil, fmt.Errorf("axis %d", given)
	}
	ax, err := axis(int(given), len(a.Shape))
	if err != nil {
		return nil, err
	}
	out, err := newArray(a.Kind, a.Shape...)
	if err != nil {
		return nil, err
	}
	exclusive, reverse := c.int("exclusive", 0) != 0, c.int("reverse", 0) != 0
	if a.Kind == Float {
		runningSum(out.F, a.F, a.Shape, ax, exclusive, reverse)
	} else {
		runningSum(out.I, a.I, a.Shape, ax, exclusive, reverse)
	}
	return []*Array{out}, nil
}

func runningSum[T float64 | int64](out, in []T, shape []int, ax int, exclusive, reverse bool) {
	n, inner := shape[ax], count(shape[ax+1:])
	for o := range count(shape[:ax]) {
		for j := range inner {
			var sum T
			for k := range n {
				if reverse {
					k = n - 1 - k
				}
				at := (o*n+k)*inner + j
				if exclusive {
					out[at] = sum
				}
				sum += in[at]
				if !exclusive {
					out[at] = sum
				}
			}
		}
	}
}
