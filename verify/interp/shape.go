package interp

import (
	"fmt"
	"slices"
)

func identity(c *call) ([]*Array, error) {
	return c.in[:1], c.need(0, Float, Int, Bool)
}

// shapeOf is the shape, or its piece [start, end), as integers.
func shapeOf(c *call) ([]*Array, error) {
	if err := c.need(0, Float, Int, Bool); err != nil {
		return nil, err
	}
	shape := c.in[0].Shape
	rank := len(shape)
	clamp := func(i int) int {
		if i < 0 {
			i += rank
		}
		return min(max(i, 0), rank)
	}
	start, end := clamp(c.int("start", 0)), clamp(c.int("end", rank))
	out := []int64{}
	for i := start; i < end; i++ {
		out = append(out, int64(shape[i]))
	}
	return []*Array{Ints(out, len(out))}, nil
}

// reshape: 0 keeps a dimension (unless allowzero), -1 takes what is left.
func reshape(c *call) ([]*Array, error) {
	if err := c.need(0, Float, Int, Bool); err != nil {
		return nil, err
	}
	want, err := c.dims(1)
	if err != nil {
		return nil, err
	}
	a := c.in[0]
	shape := slices.Clone(want)
	free, allowZero := -1, c.int("allowzero", 0) != 0
	rest := make([]int, 0, len(shape))
	for i, d := range shape {
		switch {
		case d == 0 && !allowZero:
			if i >= len(a.Shape) {
				return nil, fmt.Errorf("shape %v keeps dimension %d of %v", want, i, a)
			}
			shape[i] = a.Shape[i]
		case d == -1 && free < 0:
			free = i
			continue
		case d < 0:
			return nil, fmt.Errorf("shape %v is not one", want)
		}
		rest = append(rest, shape[i])
	}
	n, err := elements(rest)
	if err != nil {
		return nil, err
	}
	if free >= 0 {
		if n == 0 || a.Len()%n != 0 {
			return nil, fmt.Errorf("shape %v does not fit %d elements", want, a.Len())
		}
		shape[free] = a.Len() / n
		n = a.Len()
	}
	if n != a.Len() {
		return nil, fmt.Errorf("shape %v does not fit %d elements", want, a.Len())
	}
	return []*Array{a.reshaped(shape)}, nil
}

// squeeze drops the given axes, which must be 1, or all that are.
func squeeze(c *call) ([]*Array, error) {
	if err := c.need(0, Float, Int, Bool); err != nil {
		return nil, err
	}
	a := c.in[0]
	list, err := c.dims(1)
	if err != nil {
		return nil, err
	}
	drop, err := axes(list, len(a.Shape))
	if err != nil {
		return nil, err
	}
	shape := []int{}
	for i, d := range a.Shape {
		switch {
		case drop[i] && d != 1:
			return nil, fmt.Errorf("axis %d is %d long; only 1 can be squeezed", i, d)
		case drop[i], list == nil && d == 1:
		default:
			shape = append(shape, d)
		}
	}
	return []*Array{a.reshaped(shape)}, nil
}

// unsqueeze puts axes of 1 at the given places of the result.
func unsqueeze(c *call) ([]*Array, error) {
	if err := c.need(0, Float, Int, Bool); err != nil {
		return nil, err
	}
	a := c.in[0]
	list, err := c.dims(1)
	if err != nil {
		return nil, err
	}
	added, err := axes(list, len(a.Shape)+len(list))
	if err != nil {
		return nil, err
	}
	shape, next := make([]int, len(added)), 0
	for i := range shape {
		shape[i] = 1
		if !added[i] {
			shape[i] = a.Shape[next]
			next++
		}
	}
	return []*Array{a.reshaped(shape)}, nil
}
