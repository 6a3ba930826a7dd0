package interp

import (
	"errors"
	"fmt"
	"slices"
)

// matMul is numpy's matmul: matrices in the last two axes, the others
// broadcast; a vector is a row on the left and a column on the right.
func matMul(c *call) ([]*Array, error) {
	if err := c.needAll(Float); err != nil {
		return nil, err
	}
	a, err := c.in[0].dense()
	if err != nil {
		return nil, err
	}
	b := c.in[1]
	as, bs := a.Shape, b.Shape
	if len(as) == 0 || len(bs) == 0 {
		return nil, errors.New("a scalar is no matrix")
	}
	if len(as) == 1 {
		as = []int{1, as[0]}
	}
	if len(bs) == 1 {
		bs = []int{bs[0], 1}
	}
	ra, rb := len(as), len(bs)
	m, k, n := as[ra-2], as[ra-1], bs[rb-1]
	if bs[rb-2] != k {
		return nil, errors.New("inner dimensions differ")
	}
	batch, err := broadcastShape(as[:ra-2], bs[:rb-2])
	if err != nil {
		return nil, err
	}
	out, err := newArray(Float, append(slices.Clone(batch), m, n)...)
	if err != nil {
		return nil, err
	}
	if rb == 2 { // one matrix for all: its batch is more rows
		err = product(c.ctx, out.F, 1, a.F, count(batch)*m, matrix{rows: n, cols: k, a: b, across: true})
	} else {
		if b, err = b.dense(); err != nil {
			return nil, err
		}
		steps := [][]int{broadcastStrides(as[:ra-2], batch), broadcastStrides(bs[:rb-2], batch)}
		da, db := lastStep(steps[0]), lastStep(steps[1])
		walk(batch, steps, func(at int, from []int, runs int) {
			for r := range runs {
				if err != nil {
					return
				}
				x := a.F[(from[0]+r*da)*m*k:]
				w := matrix{rows: n, cols: k, a: b, offset: (from[1] + r*db) * k * n, across: true}
				err = product(c.ctx, out.F[(at+r)*m*n:], 1, x, m, w)
			}
		})
	}
	if err != nil {
		return nil, err
	}
	shape := slices.Clone(batch)
	if len(a.Shape) > 1 {
		shape = append(shape, m)
	}
	if len(b.Shape) > 1 {
		shape = append(shape, n)
	}
	return []*Array{out.reshaped(shape)}, nil
}

// gemmOp is alpha A' B' + beta C, where ' transposes if transA, transB, and C
// stretches to the result.
func gemmOp(c *call) ([]*Array, error) {
	if err := c.needAll(Float); err != nil {
		return nil, err
	}
	a, err := c.in[0].dense()
	if err != nil {
		return nil, err
	}
	b := c.in[1]
	if len(a.Shape) != 2 || len(b.Shape) != 2 {
		return nil, errors.New("inputs A and B must be matrices")
	}
	if c.int("transA", 0) != 0 {
		if a, err = gathered(a, view{0, []int{1, a.Shape[1]}}, []int{a.Shape[1], a.Shape[0]}); err != nil {
			return nil, err
		}
	}
	m, k := a.Shape[0], a.Shape[1]
	w := matrix{rows: b.Shape[1], cols: b.Shape[0], a: b, across: true}
	if c.int("transB", 0) != 0 {
		w = matrix{rows: b.Shape[0], cols: b.Shape[1], a: b}
	}
	if w.cols != k {
		return nil, errors.New("inner dimensions differ")
	}
	shape := []int{m, w.rows}
	out, err := newArray(Float, shape...)
	if err != nil {
		return nil, err
	}
	if bias, err := c.arg(2).dense(); err != nil {
		return nil, err
	} else if bias != nil {
		joined, err := broadcastShape(bias.Shape, shape)
		if err != nil || !equalShape(joined, shape) {
			return nil, fmt.Errorf("input C is %v; want a shape that stretches to %v", bias, shape)
		}
		copyRegion(out, whole(out), bias, view{0, broadcastStrides(bias.Shape, shape)}, shape)
		beta := c.number("beta", 1)
		for i := range out.F {
			out.F[i] *= beta
		}
	}
	if err := product(c.ctx, out.F, c.number("alpha", 1), a.F, m, w); err != nil {
		return nil, err
	}
	return []*Array{out}, nil
}
