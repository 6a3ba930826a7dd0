package graph

import (
	"fmt"
	"slices"
)

// shapeOps move, cut and describe tensors.
var shapeOps = slices.Concat(
	rows(1, 1, shapeOf, "Shape"),
	rows(2, 2, reshape, "Reshape"),
	rows(1, 1, transpose, "Transpose"),
	rows(1, 1<<20, concat, "Concat"),
	rows(2, 2, gather, "Gather"),
	rows(2, 2, gatherElements, "GatherElements"),
	rows(3, 5, slice, "Slice"),
	rows(2, 3, pad, "Pad"),
	rows(2, 2, split, "Split"),
	rows(2, 2, topK, "TopK"),
	rows(2, 2, unsqueeze, "Unsqueeze"),
	rows(1, 2, squeeze, "Squeeze"),
	rows(2, 2, expand, "Expand"),
	rows(1, 1, constantOfShape, "ConstantOfShape"),
	rows(3, 3, rangeOf, "Range"),
	rows(2, 2, cumSum, "CumSum"),
	rows(1, 2, trilu, "Trilu"),
	rows(1, 2, reduce, "ReduceSum", "ReduceMax", "ReduceMin", "ReduceMean"),
)

// axis resolves a possibly negative axis.
func axis(a int64, rank int) (int, error) {
	if a < 0 {
		a += int64(rank)
	}
	if a < 0 || a >= int64(rank) {
		return 0, fmt.Errorf("axis %d is outside %d dimensions", a, rank)
	}
	return int(a), nil
}

// known returns the elements of integer input i, or an error that it must be a
// constant or follow from shapes.
func (c *Call) known(i int) ([]Dim, error) {
	if err := c.Want(i, Int64, Int32); err != nil {
		return nil, err
	}
	if c.In[i].typ.Elems == nil && !(c.In[i].Rank() == 1 && c.In[i].Shape()[0] == Dim{}) {
		return nil, fmt.Errorf("input %d (%s) must follow from shapes or be a constant, so that the result's shape is known",
			i, c.In[i].name)
	}
	return c.In[i].typ.Elems, nil
}

// knownInts is known for inputs that must be plain integers.
func (c *Call) knownInts(i int) ([]int64, error) {
	elems, err := c.known(i)
	out := make([]int64, len(elems))
	for k, d := range elems {
		if !d.IsFixed() {
			return nil, fmt.Errorf("input %d (%s) must be a constant, element %d is %s", i, c.In[i].name, k, d)
		}
		out[k] = d.N
	}
	return out, err
}

func shapeOf(c *Call) ([]Type, error) {
	s := c.In[0].Shape()
	lo, hi := c.Int("start", 0), c.Int("end", int64(len(s)))
	if lo < 0 || hi > int64(len(s)) || lo > hi {
		return nil, fmt.Errorf("start %d, end %d are outside %d dimensions", lo, hi, len(s))
	}
	elems := slices.Clone(s[lo:hi])
	return []Type{{DType: Int64, Shape: Of(len(elems)), Elems: elems}}, nil
}

func reshape(c *Call) ([]Type, error) {
	target, err := c.known(1)
	if err != nil {
		return nil, err
	}
	in, out := c.In[0].Shape(), make(Shape, len(target))
	free := -1
	for i, d := range target {
		switch {
		case d.IsFixed() && d.N == -1:
			if free >= 0 {
				return nil, fmt.Errorf("target %s has two free dimensions", Shape(target))
			}
			free, out[i] = i, Dim{N: 1}
		case d.IsFixed() && d.N == 0 && c.Int("allowzero", 0) == 0:
			if i >= len(in) {
				return nil, fmt.Errorf("target %s copies dimension %d, input 0 (%s) has shape %s", Shape(target), i, c.In[0].name, in)
			}
			out[i] = in[i]
		default:
			out[i] = d
		}
	}
	have, want := mul(in...), mul(out...)
	if free >= 0 {
		q, ok := have.div(want)
		if !ok {
			return nil, fmt.Errorf("input 0 (%s) has shape %s, which does not divide into %s", c.In[0].name, in, Shape(target))
		}
		out[free] = q.dim()
	} else if !have.equal(want) {
		return nil, fmt.Errorf("input 0 (%s) has shape %s, which has not the size of %s", c.In[0].name, in, Shape(target))
	}
	return []Type{{DType: c.In[0].DType(), Shape: out}}, nil
}

func transpose(c *Call) ([]Type, error) {
	perm, ok := c.Ints("perm")
	in := c.In[0].Shape()
	if !ok || len(perm) != len(in) {
		return nil, fmt.Errorf("perm %v does not order the dimensions of shape %s", perm, in)
	}
	out, seen := make(Shape, len(in)), make([]bool, len(in))
	for i, p := range perm {
		if p < 0 || p >= int64(len(in)) || seen[p] {
			return nil, fmt.Errorf("perm %v does not order the dimensions of shape %s", perm, in)
		}
		out[i], seen[p] = in[p], true
	}
	return []Type{{DType: c.In[0].DType(), Shape: out}}, nil
}

func concat(c *Call) ([]Type, error) {
	if err := c.SameType(); err != nil {
		return nil, err
	}
	first := c.In[0].Shape()
	ax, err := axis(c.Int("axis", 0), len(first))
	if err != nil {
		return nil, err
	}
	t := Type{DType: c.In[0].DType(), Shape: slices.Clone(first)}
	t.Elems = slices.Clone(c.In[0].typ.Elems)
	known := t.Elems != nil || t.Shape[ax] == Dim{}
	for i, v := range c.In[1:] {
		s := slices.Clone(v.Shape())
		if len(s) == len(first) {
			s[ax] = first[ax]
		}
		if !s.Equal(first) {
			return nil, fmt.Errorf("input %d (%s) has shape %s, expected %s but for axis %d", i+1, v.name, v.Shape(), first, ax)
		}
		t.Shape[ax] = c.Sum(t.Shape[ax], v.Shape()[ax])
		known = known && (v.typ.Elems != nil || v.Shape()[ax] == Dim{})
		t.Elems = append(t.Elems, v.typ.Elems...)
	}
	if !known {
		t.Elems = nil
	}
	return []Type{t}, nil
}

func gather(c *Call) ([]Type, error) {
	if err := c.Want(1, Int64, Int32); err != nil {
		return nil, err
	}
	data := c.In[0].Shape()
	ax, err := axis(c.Int("axis", 0), len(data))
	if err != nil {
		return nil, err
	}
	t := Type{DType: c.In[0].DType(), Shape: slices.Concat(data[:ax], c.In[1].Shape(), data[ax+1:])}
	if elems, idx := c.In[0].typ.Elems, c.In[1].typ.Elems; elems != nil && idx != nil && len(data) == 1 {
		for _, d := range idx {
			if !d.IsFixed() || d.N < 0 || d.N >= int64(len(elems)) {
				return nil, fmt.Errorf("index %s is outside input 0 (%s) of shape %s", d, c.In[0].name, data)
			}
			t.Elems = append(t.Elems, elems[d.N])
		}
	}
	return []Type{t}, nil
}

// gatherElements takes an index of the data's rank: the result has its shape.
func gatherElements(c *Call) ([]Type, error) {
	if err := c.Want(1, Int64, Int32); err != nil {
		return nil, err
	}
	data, idx := c.In[0].Shape(), c.In[1].Shape()
	ax, err := axis(c.Int("axis", 0), len(data))
	if err != nil {
		return nil, err
	}
	want := slices.Clone(data)
	if len(idx) == len(data) {
		want[ax] = idx[ax]
	}
	if err := c.WantShape(1, want); err != nil {
		return nil, err
	}
	return []Type{{DType: c.In[0].DType(), Shape: idx}}, nil
}

func unsqueeze(c *Call) ([]Type, error) {
	axes, err := c.knownInts(1)
	if err != nil {
		return nil, err
	}
	rank := c.In[0].Rank() + len(axes)
	out := make(Shape, rank)
	for _, a := range axes {
		i, err := axis(a, rank)
		if err != nil {
			return nil, err
		}
		out[i] = Dim{N: 1, Name: "new"}
	}
	rest := c.In[0].Shape()
	for i := range out {
		if out[i].Name == "new" {
			out[i] = Dim{N: 1}
			continue
		}
		out[i], rest = rest[0], rest[1:]
	}
	return []Type{{DType: c.In[0].DType(), Shape: out, Elems: c.In[0].typ.Elems}}, nil
}

func squeeze(c *Call) ([]Type, error) {
	in := c.In[0].Shape()
	drop := make([]bool, len(in))
	if c.Has(1) {
		axes, err := c.knownInts(1)
		if err != nil {
			return nil, err
		}
		for _, a := range axes {
			i, err := axis(a, len(in))
			if err != nil {
				return nil, err
			}
			if (in[i] != Dim{N: 1}) {
				return nil, fmt.Errorf("dimension %d of input 0 (%s) is %s, expected 1", i, c.In[0].name, in[i])
			}
			drop[i] = true
		}
	}
	out := Shape{}
	for i, d := range in {
		if drop[i] || !c.Has(1) && d == (Dim{N: 1}) {
			continue
		}
		out = append(out, d)
	}
	return []Type{{DType: c.In[0].DType(), Shape: out, Elems: c.In[0].typ.Elems}}, nil
}

func expand(c *Call) ([]Type, error) {
	target, err := c.known(1)
	if err != nil {
		return nil, err
	}
	s, ok := broadcast(c.In[0].Shape(), target)
	if !ok {
		return nil, fmt.Errorf("input 0 (%s) has shape %s, which does not broadcast with %s", c.In[0].name, c.In[0].Shape(), Shape(target))
	}
	return []Type{{DType: c.In[0].DType(), Shape: s}}, nil
}
