package interp

import (
	"errors"
	"fmt"
	"slices"
)

// transpose permutes the axes; without perm it reverses them.
func transpose(c *call) ([]*Array, error) {
	if err := c.need(0, Float, Int, Bool); err != nil {
		return nil, err
	}
	a := c.in[0]
	rank := len(a.Shape)
	perm := c.ints("perm")
	if !c.has("perm") {
		for i := rank - 1; i >= 0; i-- {
			perm = append(perm, i)
		}
	}
	set, err := axes(perm, rank)
	if err != nil {
		return nil, fmt.Errorf("perm: %w", err)
	}
	if len(perm) != rank || slices.Contains(set, false) {
		return nil, fmt.Errorf("perm %v is not a permutation of %d axes", perm, rank)
	}
	own := strides(a.Shape)
	shape, from := make([]int, rank), view{0, make([]int, rank)}
	for i, p := range perm {
		p, _ = axis(p, rank)
		shape[i], from.strides[i] = a.Shape[p], own[p]
	}
	return one(gathered(a, from, shape))
}

// expand broadcasts to the join of the input's shape and the given one.
func expand(c *call) ([]*Array, error) {
	if err := c.need(0, Float, Int, Bool); err != nil {
		return nil, err
	}
	target, err := c.dims(1)
	if err != nil {
		return nil, err
	}
	if _, err := elements(target); err != nil {
		return nil, err
	}
	shape, err := broadcastShape(c.in[0].Shape, target)
	if err != nil {
		return nil, err
	}
	return one(gathered(c.in[0], view{0, broadcastStrides(c.in[0].Shape, shape)}, shape))
}

// tile repeats along every axis: a view with one axis for the repeats before
// each axis of the input.
func tile(c *call) ([]*Array, error) {
	if err := c.need(0, Float, Int, Bool); err != nil {
		return nil, err
	}
	a := c.in[0]
	repeats, err := c.dims(1)
	if err != nil {
		return nil, err
	}
	if len(repeats) != len(a.Shape) {
		return nil, fmt.Errorf("%d repeats for %d axes", len(repeats), len(a.Shape))
	}
	own := strides(a.Shape)
	var shape, box, steps []int
	for i, r := range repeats {
		if r < 0 || (a.Shape[i] > 0 && r > maxElements/a.Shape[i]) {
			return nil, fmt.Errorf("repeats %v: %d is out of range", repeats, r)
		}
		shape = append(shape, r*a.Shape[i])
		box = append(box, r, a.Shape[i])
		steps = append(steps, 0, own[i])
	}
	out, err := gathered(a, view{0, steps}, box)
	if err != nil {
		return nil, err
	}
	return []*Array{out.reshaped(shape)}, nil
}

// slice takes starts:ends:steps along the axes, with Python's clamping.
func slice(c *call) ([]*Array, error) {
	if err := c.need(0, Float, Int, Bool); err != nil {
		return nil, err
	}
	a := c.in[0]
	rank := len(a.Shape)
	var lists [4][]int
	for i := range lists {
		var err error
		if lists[i], err = c.dims(i + 1); err != nil {
			return nil, err
		}
	}
	starts, ends, along, steps := lists[0], lists[1], lists[2], lists[3]
	if along == nil {
		for i := range starts {
			along = append(along, i)
		}
	}
	if steps == nil {
		steps = slices.Repeat([]int{1}, len(starts))
	}
	if len(ends) != len(starts) || len(along) != len(starts) || len(steps) != len(starts) {
		return nil, fmt.Errorf("%d starts, %d ends, %d axes, %d steps", len(starts), len(ends), len(along), len(steps))
	}
	if _, err := axes(along, rank); err != nil {
		return nil, err
	}
	shape, from := slices.Clone(a.Shape), whole(a)
	for i, ax := range along {
		ax, _ = axis(ax, rank)
		first, n, err := sliceRange(starts[i], ends[i], steps[i], a.Shape[ax])
		if err != nil {
			return nil, err
		}
		shape[ax] = n
		from.offset += first * from.strides[ax]
		if n > 1 { // the step of a single element may be huge and is not used
			from.strides[ax] *= steps[i]
		}
	}
	return one(gathered(a, from, shape))
}

// sliceRange is the first index and the number of those that start:end:step
// picks of n.
func sliceRange(start, end, step, n int) (first, picked int, err error) {
	if step == 0 {
		return 0, 0, errors.New("a step is 0")
	}
	lo, hi := 0, n // where start and end may lie
	if step < 0 {
		lo, hi = -1, n-1
	}
	clamp := func(x int) int {
		if x < 0 {
			x = max(x, -n-1) + n
		}
		return min(max(x, lo), hi)
	}
	start, end = clamp(start), clamp(end)
	if step > 0 && end > start {
		return start, (end-start-1)/step + 1, nil
	}
	if step < 0 && end < start {
		return start, (start-end-1)/-step + 1, nil
	}
	return 0, 0, nil
}

// concat joins along an axis.
func concat(c *call) ([]*Array, error) {
	if !c.has("axis") {
		return nil, errors.New(`attribute "axis" is missing`)
	}
	k, err := c.sameKind(Float, Int, Bool)
	if err != nil {
		return nil, err
	}
	if slices.Contains(c.in, nil) {
		return nil, errors.New("an input is missing")
	}
	ax, err := axis(c.int("axis", 0), len(c.in[0].Shape))
	if err != nil {
		return nil, err
	}
	shape := slices.Clone(c.in[0].Shape)
	for _, a := range c.in[1:] {
		if len(a.Shape) != len(shape) {
			return nil, errors.New("ranks differ")
		}
		for i, d := range a.Shape {
			if i != ax && d != shape[i] {
				return nil, fmt.Errorf("dimension %d differs", i)
			}
		}
		shape[ax] += a.Shape[ax]
	}
	out, err := newArray(k, shape...)
	if err != nil {
		return nil, err
	}
	to := whole(out)
	for _, a := range c.in {
		copyRegion(out, to, a, whole(a), a.Shape)
		to.offset += a.Shape[ax] * to.strides[ax]
	}
	return []*Array{out}, nil
}

// split cuts along an axis: into the given lengths, or into as many equal
// pieces as there are outputs, the last one shorter.
func split(c *call) ([]*Array, error) {
	if err := c.need(0, Float, Int, Bool); err != nil {
		return nil, err
	}
	a := c.in[0]
	ax, err := axis(c.int("axis", 0), len(a.Shape))
	if err != nil {
		return nil, err
	}
	lengths, err := c.dims(1)
	if err != nil {
		return nil, err
	}
	if (lengths == nil) != c.has("num_outputs") {
		return nil, errors.New("needs either the split input or num_outputs")
	}
	n := a.Shape[ax]
	if lengths == nil {
		pieces := c.int("num_outputs", 0)
		if pieces < 1 || pieces > max(n, 1) {
			return nil, fmt.Errorf("num_outputs %d for %d elements", pieces, n)
		}
		size := (n + pieces - 1) / pieces
		for i := range pieces {
			lengths = append(lengths, max(0, min(size, n-i*size)))
		}
	}
	sum := 0
	for _, l := range lengths {
		if l < 0 || l > n {
			return nil, fmt.Errorf("split %v of %d elements", lengths, n)
		}
		sum += l
	}
	if sum != n || len(c.out) > len(lengths) {
		return nil, fmt.Errorf("split %v into %d outputs does not fit %d elements", lengths, len(c.out), n)
	}
	out := make([]*Array, len(lengths))
	from := whole(a)
	for i, l := range lengths {
		shape := slices.Clone(a.Shape)
		shape[ax] = l
		if out[i], err = gathered(a, from, shape); err != nil {
			return nil, err
		}
		from.offset += l * from.strides[ax]
	}
	return out, nil
}
