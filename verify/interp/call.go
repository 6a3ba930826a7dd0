package interp

import (
	"context"
	"fmt"
	"strings"
)

// call is what a kernel sees of the node it runs.
type call struct {
	*step
	ctx     context.Context
	options Options
	in      []*Array // nil where an optional input was left out
}

// arg is input i, or nil when it was left out.
func (c *call) arg(i int) *Array {
	if i >= len(c.in) {
		return nil
	}
	return c.in[i]
}

// wants says whether output i is used.
func (c *call) wants(i int) bool { return i < len(c.out) && c.out[i] != absent }

func (c *call) inputs() string {
	s := make([]string, len(c.in))
	for i, a := range c.in {
		s[i] = "none"
		if a != nil {
			s[i] = a.String()
		}
	}
	return strings.Join(s, ", ")
}

// intsOf is integer input i's elements.
func (c *call) intsOf(i int) ([]int64, error) {
	if err := c.need(i, Int); err != nil {
		return nil, err
	}
	return c.in[i].I, nil
}

// need checks that input i is there and of one of the kinds.
func (c *call) need(i int, kinds ...Kind) error {
	a := c.arg(i)
	if a == nil {
		return fmt.Errorf("input %d is missing", i)
	}
	for _, k := range kinds {
		if a.Kind == k {
			return nil
		}
	}
	return fmt.Errorf("input %d is %v; want %v", i, a, kinds)
}

// needAll is need of every input that is given.
func (c *call) needAll(kinds ...Kind) error {
	for i, a := range c.in {
		if a != nil {
			if err := c.need(i, kinds...); err != nil {
				return err
			}
		}
	}
	return nil
}

// scalar is the only element of integer input i.
func (c *call) scalar(i int) (int64, error) {
	x, err := c.intsOf(i)
	if err != nil {
		return 0, err
	}
	if len(x) != 1 {
		return 0, fmt.Errorf("input %d is %v; want one element", i, c.in[i])
	}
	return x[0], nil
}

// dims is integer input i as a list of small integers; nil when left out.
func (c *call) dims(i int) ([]int, error) {
	if c.arg(i) == nil {
		return nil, nil
	}
	x, err := c.intsOf(i)
	if err != nil {
		return nil, err
	}
	if len(c.in[i].Shape) > 1 {
		return nil, fmt.Errorf("input %d is %v; want a list", i, c.in[i])
	}
	out := make([]int, len(x))
	for j, v := range x {
		out[j] = int(v)
	}
	return out, nil
}

// The attributes' types were checked when the graph was loaded.

func (c *call) has(name string) bool { return c.attrs[name] != nil }

func (c *call) int(name string, otherwise int) int {
	if v, ok := c.attrs[name]; ok {
		return int(v.(int64))
	}
	return otherwise
}

// number is a float attribute. It is a float32 in the file and means exactly
// that value.
func (c *call) number(name string, otherwise float64) float64 {
	if v, ok := c.attrs[name]; ok {
		return float64(v.(float32))
	}
	return otherwise
}

func (c *call) text(name, otherwise string) string {
	if v, ok := c.attrs[name]; ok {
		return v.(string)
	}
	return otherwise
}

func (c *call) ints(name string) []int {
	v, ok := c.attrs[name].([]int64)
	if !ok {
		return nil
	}
	out := make([]int, len(v))
	for i, x := range v {
		out[i] = int(x)
	}
	return out
}

// axis brings an axis of -rank … rank-1 to 0 … rank-1.
func axis(a, rank int) (int, error) {
	if a < -rank || a >= rank {
		return 0, fmt.Errorf("axis %d is outside [%d, %d]", a, -rank, rank-1)
	}
	if a < 0 {
		a += rank
	}
	return a, nil
}

// axes is axis of a list without repeats; nil means all axes.
func axes(list []int, rank int) ([]bool, error) {
	set := make([]bool, rank)
	for _, a := range list {
		a, err := axis(a, rank)
		if err != nil {
			return nil, err
		}
		if set[a] {
			return nil, fmt.Errorf("axis %d is given twice", a)
		}
		set[a] = true
	}
	return set, nil
}

func one(a *Array, err error) ([]*Array, error) {
	if err != nil {
		return nil, err
	}
	return []*Array{a}, nil
}
