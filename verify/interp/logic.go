package interp

import "math"

// compare runs a predicate on the broadcast of two numeric inputs.
func compare(c *call, f func(a, b float64) bool, g func(a, b int64) bool) ([]*Array, error) {
	k, err := c.sameKind(Float, Int)
	if err != nil {
		return nil, err
	}
	if k == Float {
		return one(combine(c.in[0], c.in[1], Bool, f))
	}
	return one(combine(c.in[0], c.in[1], Bool, g))
}

func equal(c *call) ([]*Array, error) {
	if c.arg(0) != nil && c.in[0].Kind == Bool {
		return boolean(c, func(a, b bool) bool { return a == b })
	}
	return compare(c, func(a, b float64) bool { return a == b }, func(a, b int64) bool { return a == b })
}

func less(c *call) ([]*Array, error) {
	return compare(c, func(a, b float64) bool { return a < b }, func(a, b int64) bool { return a < b })
}

func lessOrEqual(c *call) ([]*Array, error) {
	return compare(c, func(a, b float64) bool { return a <= b }, func(a, b int64) bool { return a <= b })
}

func greater(c *call) ([]*Array, error) {
	return compare(c, func(a, b float64) bool { return a > b }, func(a, b int64) bool { return a > b })
}

func greaterOrEqual(c *call) ([]*Array, error) {
	return compare(c, func(a, b float64) bool { return a >= b }, func(a, b int64) bool { return a >= b })
}

func boolean(c *call, f func(a, b bool) bool) ([]*Array, error) {
	if _, err := c.sameKind(Bool); err != nil {
		return nil, err
	}
	return one(combine(c.in[0], c.in[1], Bool, f))
}

func and(c *call) ([]*Array, error) { return boolean(c, func(a, b bool) bool { return a && b }) }
func or(c *call) ([]*Array, error)  { return boolean(c, func(a, b bool) bool { return a || b }) }

func not(c *call) ([]*Array, error) {
	if err := c.need(0, Bool); err != nil {
		return nil, err
	}
	return one(apply(c.in[0], Bool, func(x bool) bool { return !x }))
}

func isNaN(c *call) ([]*Array, error) {
	if err := c.need(0, Float); err != nil {
		return nil, err
	}
	return one(apply(c.in[0], Bool, math.IsNaN))
}

// where takes from input 1 where input 0 holds, else from input 2.
func where(c *call) ([]*Array, error) {
	if err := c.need(0, Bool); err != nil {
		return nil, err
	}
	if err := c.need(1, Float, Int, Bool); err != nil {
		return nil, err
	}
	if err := c.need(2, c.in[1].Kind); err != nil {
		return nil, err
	}
	switch c.in[1].Kind {
	case Float:
		return one(choose[float64](c.in[0], c.in[1], c.in[2]))
	case Int:
		return one(choose[int64](c.in[0], c.in[1], c.in[2]))
	default:
		return one(choose[bool](c.in[0], c.in[1], c.in[2]))
	}
}

func choose[T element](condition, x, y *Array) (*Array, error) {
	shape, err := broadcastShape(condition.Shape, x.Shape, y.Shape)
	if err != nil {
		return nil, err
	}
	out, err := newArray(x.Kind, shape...)
	if err != nil {
		return nil, err
	}
	steps := [][]int{
		broadcastStrides(condition.Shape, shape),
		broadcastStrides(x.Shape, shape),
		broadcastStrides(y.Shape, shape),
	}
	dc, dx, dy := lastStep(steps[0]), lastStep(steps[1]), lastStep(steps[2])
	r, a, b := data[T](out), data[T](x), data[T](y)
	walk(shape, steps, func(at int, from []int, n int) {
		i, j, k := from[0], from[1], from[2]
		for m := range n {
			if condition.B[i] {
				r[at+m] = a[j]
			} else {
				r[at+m] = b[k]
			}
			i, j, k = i+dc, j+dx, k+dy
		}
	})
	return out, nil
}
