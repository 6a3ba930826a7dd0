package graph

import (
	"fmt"
	"slices"
)

// slice knows constant starts, ends, axes and steps of 1; an end at or past the
// dimension's end means all of it. A dynamic dimension may lose a constant count
// at its front or keep a constant count, counted from its end; its new length
// gets a name of its own only where it cannot be worked out.
func slice(c *Call) ([]Type, error) {
	starts, err := c.knownInts(1)
	if err != nil {
		return nil, err
	}
	ends, err := c.knownInts(2)
	if err != nil {
		return nil, err
	}
	axes := make([]int64, len(starts))
	for i := range axes {
		axes[i] = int64(i)
	}
	if c.Has(3) {
		if axes, err = c.knownInts(3); err != nil {
			return nil, err
		}
	}
	if c.Has(4) {
		return nil, fmt.Errorf("steps are not known here")
	}
	if len(ends) != len(starts) || len(axes) != len(starts) {
		return nil, fmt.Errorf("has %d starts, %d ends and %d axes", len(starts), len(ends), len(axes))
	}
	t := Type{DType: c.In[0].DType(), Shape: slices.Clone(c.In[0].Shape())}
	for k, a := range axes {
		i, err := axis(a, len(t.Shape))
		if err != nil {
			return nil, err
		}
		d := t.Shape[i]
		if d.IsFixed() {
			lo, hi := clamp(starts[k], d.N), clamp(ends[k], d.N)
			t.Shape[i] = Dim{N: max(hi-lo, 0)}
			if elems := c.In[0].typ.Elems; elems != nil && len(t.Shape) == 1 {
				t.Elems = slices.Clone(elems[lo:max(lo, hi)])
			}
			continue
		}
		switch whole := ends[k] >= 1<<31-1; {
		case starts[k] == 0 && whole:
		case starts[k] < 0 && whole:
			t.Shape[i] = Dim{N: -starts[k]} // the caller knows there are as many
		default:
			return nil, fmt.Errorf("cutting %d:%d from dimension %s leaves a length without a name", starts[k], ends[k], d)
		}
	}
	return []Type{t}, nil
}

func clamp(i, n int64) int64 {
	if i < 0 {
		i += n
	}
	return min(max(i, 0), n)
}

func constantOfShape(c *Call) ([]Type, error) {
	elems, err := c.known(0)
	if err != nil {
		return nil, err
	}
	t := Type{DType: Float, Shape: slices.Clone(Shape(elems))}
	if a := c.Attr("value"); a != nil {
		t.DType = DType(a.GetT().GetDataType())
	}
	return []Type{t}, nil
}

// rangeOf knows Range(0, n, 1), n being a dimension.
// pad knows constant pads of all axes.
func pad(c *Call) ([]Type, error) {
	pads, err := c.knownInts(1)
	if err != nil {
		return nil, err
	}
	t := Type{DType: c.In[0].DType(), Shape: slices.Clone(c.In[0].Shape())}
	rank := len(t.Shape)
	if len(pads) != 2*rank {
		return nil, fmt.Errorf("has %d pads for %d axes", len(pads), rank)
	}
	for i := range t.Shape {
		if pads[i] < 0 || pads[rank+i] < 0 {
			return nil, fmt.Errorf("pads axis %d by %d and %d", i, pads[i], pads[rank+i])
		}
		t.Shape[i] = c.Sum(t.Shape[i], Dim{N: pads[i] + pads[rank+i]})
	}
	return []Type{t}, nil
}

func rangeOf(c *Call) ([]Type, error) {
	var d [3]Dim
	for i := range d {
		if err := c.WantRank(i, 0); err != nil {
			return nil, err
		}
		elems, err := c.known(i)
		if err != nil {
			return nil, err
		}
		d[i] = elems[0]
	}
	if (d[0] != Dim{}) || (d[2] != Dim{N: 1}) {
		return nil, fmt.Errorf("range from %s by %s: only ranges from 0 by 1 have a known length", d[0], d[2])
	}
	return []Type{{DType: c.In[0].DType(), Shape: Shape{d[1]}}}, nil
}

func cumSum(c *Call) ([]Type, error) {
	ax, err := c.knownInts(1)
	if err != nil {
		return nil, err
	}
	if len(ax) != 1 {
		return nil, fmt.Errorf("input 1 (%s) must hold one axis", c.In[1].name)
	}
	if _, err := axis(ax[0], c.In[0].Rank()); err != nil {
		return nil, err
	}
	return c.same(0), nil
}

// trilu keeps a triangle of the last two axes.
func trilu(c *Call) ([]Type, error) {
	if c.In[0].Rank() < 2 {
		return nil, fmt.Errorf("input 0 (%s) has shape %s, expected at least 2 dimensions", c.In[0].name, c.In[0].Shape())
	}
	return c.same(0), nil
}

// reduce takes its axes as input 1, or as an attribute as operator sets before 18
// do; without any it reduces all.
func reduce(c *Call) ([]Type, error) {
	in, keep := c.In[0].Shape(), c.Int("keepdims", 1) != 0
	axes, given := c.Ints("axes")
	if c.Has(1) {
		var err error
		if axes, err = c.knownInts(1); err != nil {
			return nil, err
		}
		given = true
	}
	drop := make([]bool, len(in))
	for _, a := range axes {
		i, err := axis(a, len(in))
		if err != nil {
			return nil, err
		}
		drop[i] = true
	}
	out := Shape{}
	for i, d := range in {
		switch {
		case !drop[i] && given:
			out = append(out, d)
		case keep:
			out = append(out, Dim{N: 1})
		}
	}
	return []Type{{DType: c.In[0].DType(), Shape: out}}, nil
}

// split knows constant sizes of its parts; sizes that are computed get names, and
// their sum is the whole.
func split(c *Call) ([]Type, error) {
	if c.In[1].typ.Elems == nil {
		return splitAnyhow(c)
	}
	sizes, err := c.knownInts(1)
	if err != nil {
		return nil, err
	}
	in := c.In[0].Shape()
	ax, err := axis(c.Int("axis", 0), len(in))
	if err != nil {
		return nil, err
	}
	rest := in[ax].N
	types := make([]Type, len(sizes))
	for i, n := range sizes {
		s := slices.Clone(in)
		s[ax] = Dim{N: n}
		types[i], rest = Type{DType: c.In[0].DType(), Shape: s}, rest-n
	}
	if !in[ax].IsFixed() || rest != 0 {
		return nil, fmt.Errorf("parts of %v do not make up axis %d of input 0 (%s), of shape %s", sizes, ax, c.In[0].name, in)
	}
	return types, nil
}

// splitAnyhow is split by sizes that are computed, as many as there are outputs.
func splitAnyhow(c *Call) ([]Type, error) {
	if err := c.WantShape(1, Of(c.outs)); err != nil {
		return nil, err
	}
	if err := c.Want(1, Int64); err != nil {
		return nil, err
	}
	in := c.In[0].Shape()
	ax, err := axis(c.Int("axis", 0), len(in))
	if err != nil {
		return nil, err
	}
	types := make([]Type, c.outs)
	var sum Dim
	for i := range types {
		s := slices.Clone(in)
		s[ax] = Sym(fmt.Sprintf("%s[%d]", c.In[1].name, i))
		if c.outs == 1 {
			s[ax] = in[ax]
		}
		types[i] = Type{DType: c.In[0].DType(), Shape: s}
		switch {
		case i == 0:
			sum = s[ax]
		case i == c.outs-1:
			c.g.DefineSum(in[ax], sum, s[ax])
		default:
			next := Sym(fmt.Sprintf("%s[:%d]", c.In[1].name, i+1))
			c.g.DefineSum(next, sum, s[ax])
			sum = next
		}
	}
	return types, nil
}

// topK gives the k largest along an axis, or the smallest, and their places.
func topK(c *Call) ([]Type, error) {
	k, err := c.known(1)
	if err != nil {
		return nil, err
	}
	s := slices.Clone(c.In[0].Shape())
	ax, err := axis(c.Int("axis", -1), len(s))
	if err != nil {
		return nil, err
	}
	if len(k) != 1 || k[0].IsFixed() && s[ax].IsFixed() && k[0].N > s[ax].N {
		return nil, fmt.Errorf("input 1 (%s) is %v, expected one number up to %s", c.In[1].name, k, s[ax])
	}
	s[ax] = k[0]
	return []Type{{DType: c.In[0].DType(), Shape: s}, {DType: Int64, Shape: s}}, nil
}
