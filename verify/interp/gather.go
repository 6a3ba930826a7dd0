package interp

import (
	"fmt"
	"slices"
)

// index brings an index of -n … n-1 to 0 … n-1. Beyond that is an error, never
// a neighbouring row or zeros.
func index(i int64, n int) (int, error) {
	if i < -int64(n) || i >= int64(n) {
		return 0, fmt.Errorf("index %d is outside [%d, %d]", i, -n, n-1)
	}
	if i < 0 {
		i += int64(n)
	}
	return int(i), nil
}

// gather takes slices of data along an axis. Of an undecoded weight along its
// first axis only the rows asked for are read.
func gather(c *call) ([]*Array, error) {
	if err := c.need(0, Float, Int, Bool); err != nil {
		return nil, err
	}
	ids, err := gatherIndices(c)
	if err != nil {
		return nil, err
	}
	a, ids0 := c.in[0], c.in[1]
	ax, err := axis(c.int("axis", 0), len(a.Shape))
	if err != nil {
		return nil, err
	}
	shape := slices.Concat(a.Shape[:ax], ids0.Shape, a.Shape[ax+1:])
	out, err := newArray(a.Kind, shape...)
	if err != nil {
		return nil, err
	}
	inner := count(a.Shape[ax+1:])
	if a.weight != nil && a.Kind == Float && ax == 0 {
		for j, id := range ids {
			i, err := index(id, a.Shape[0])
			if err != nil {
				return nil, err
			}
			if err := a.weight.floats(out.F[j*inner:(j+1)*inner], i*inner); err != nil {
				return nil, err
			}
		}
		return []*Array{out}, nil
	}
	if a, err = a.dense(); err != nil {
		return nil, err
	}
	outer, n := count(a.Shape[:ax]), a.Shape[ax]
	at := 0
	for o := range outer {
		for _, id := range ids {
			i, err := index(id, n)
			if err != nil {
				return nil, err
			}
			box := []int{inner}
			copyRegion(out, view{at, []int{1}}, a, view{(o*n + i) * inner, []int{1}}, box)
			at += inner
		}
	}
	return []*Array{out}, nil
}

// gatherIndices is input 1, decoded where gather gets it lazily.
func gatherIndices(c *call) ([]int64, error) {
	if err := c.need(1, Int); err != nil {
		return nil, err
	}
	ids, err := c.in[1].dense()
	if err != nil {
		return nil, err
	}
	return ids.I, nil
}

// gatherElements takes, for every place of the indices, the element of data at
// that place with the index put in along the axis.
func gatherElements(c *call) ([]*Array, error) {
	if err := c.need(0, Float, Int, Bool); err != nil {
		return nil, err
	}
	ids, err := c.intsOf(1)
	if err != nil {
		return nil, err
	}
	a, shape := c.in[0], c.in[1].Shape
	ax, err := axis(c.int("axis", 0), len(a.Shape))
	if err != nil {
		return nil, err
	}
	if len(shape) != len(a.Shape) {
		return nil, fmt.Errorf("ranks differ")
	}
	for i, d := range shape {
		if i != ax && d > a.Shape[i] {
			return nil, fmt.Errorf("indices are longer than data along axis %d", i)
		}
	}
	out, err := newArray(a.Kind, shape...)
	if err != nil {
		return nil, err
	}
	own := strides(a.Shape)
	steps := slices.Clone(own)
	steps[ax] = 0 // the index says where along it
	step := lastStep(steps)
	walk(shape, [][]int{steps}, func(at int, from []int, n int) {
		for k := range n {
			i, e := index(ids[at+k], a.Shape[ax])
			if e != nil {
				err = e
				return
			}
			src := from[0] + k*step + i*own[ax]
			copyRegion(out, view{offset: at + k}, a, view{offset: src}, nil)
		}
	})
	return one(out, err)
}
