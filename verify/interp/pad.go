package interp

import (
	"errors"
	"fmt"
	"slices"
)

// pad adds to both ends of the axes: a constant (mode constant), or the
// elements that reflect, edge or wrap name. Negative pads cut.
func pad(c *call) ([]*Array, error) {
	if err := c.need(0, Float, Int, Bool); err != nil {
		return nil, err
	}
	a := c.in[0]
	rank := len(a.Shape)
	pads, err := c.dims(1)
	if err != nil {
		return nil, err
	}
	along, err := c.dims(3)
	if err != nil {
		return nil, err
	}
	if c.arg(3) == nil {
		for i := range rank {
			along = append(along, i)
		}
	}
	if _, err := axes(along, rank); err != nil {
		return nil, err
	}
	if len(pads) != 2*len(along) {
		return nil, fmt.Errorf("%d pads for %d axes", len(pads), len(along))
	}
	mode := c.text("mode", "constant")
	if !slices.Contains([]string{"constant", "reflect", "edge", "wrap"}, mode) {
		return nil, fmt.Errorf("mode %q; want constant, reflect, edge or wrap", mode)
	}
	shape := slices.Clone(a.Shape)
	sources := make([][]int, rank) // along each axis, which element each place takes; -1 none
	for i := range rank {
		sources[i] = padSources(a.Shape[i], 0, 0, mode)
	}
	for i, ax := range along {
		ax, _ = axis(ax, rank)
		before, after := pads[i], pads[len(along)+i]
		n := a.Shape[ax]
		if before < -n || after < -n || before+after < -n || max(before, after) > maxElements {
			return nil, fmt.Errorf("pads %v do not fit axis %d", pads, ax)
		}
		if mode != "constant" && n == 0 && before+after > 0 {
			return nil, fmt.Errorf("mode %s of an empty axis", mode)
		}
		shape[ax] = n + before + after
		if _, err := elements(shape); err != nil {
			return nil, err
		}
		sources[ax] = padSources(n, before, after, mode)
	}
	out, err := newArray(a.Kind, shape...)
	if err != nil {
		return nil, err
	}
	if fill := c.arg(2); fill != nil && out.Len() > 0 {
		if fill.Kind != a.Kind || fill.Len() != 1 {
			return nil, errors.New("constant_value must be one element of the data's type")
		}
		copyRegion(out, whole(out), fill, view{strides: make([]int, rank)}, shape)
	}
	own := strides(a.Shape)
	place := make([]int, rank)
	for at := range out.Len() {
		rest, from := at, 0
		for d := rank - 1; d >= 0; d-- {
			place[d], rest = rest%shape[d], rest/shape[d]
			s := sources[d][place[d]]
			if s < 0 {
				from = -1
				break
			}
			from += s * own[d]
		}
		if from >= 0 {
			copyRegion(out, view{offset: at}, a, view{offset: from}, nil)
		}
	}
	return []*Array{out}, nil
}

func padSources(n, before, after int, mode string) []int {
	list := make([]int, 0, n+before+after)
	for i := -before; i < n+after; i++ {
		s := i
		if i < 0 || i >= n {
			switch mode {
			case "constant":
				s = -1
			case "edge":
				s = min(max(i, 0), n-1)
			case "wrap":
				s = ((i % n) + n) % n
			case "reflect":
				s = 0
				if n > 1 {
					period := 2 * (n - 1)
					s = ((i % period) + period) % period
					if s >= n {
						s = period - s
					}
				}
			}
		}
		list = append(list, s)
	}
	return list
}
