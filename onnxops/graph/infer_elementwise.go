package graph

import (
	"fmt"
	"slices"
)

// elementwiseOps act element by element, with NumPy's broadcasting.
var elementwiseOps = slices.Concat(
	rows(2, 2, sameTypeBroadcast, "Add", "Sub", "Mul", "Div"),
	rows(2, 2, powBroadcast, "Pow"),
	rows(1, 16, sameTypeBroadcast, "Min", "Max"),
	rows(2, 2, compare, "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal"),
	rows(2, 2, logical, "And", "Or"),
	rows(1, 1, logical, "Not"),
	rows(1, 3, clip, "Clip"),
	rows(1, 1, isNaN, "IsNaN"),
	rows(1, 1, floatUnary, "Sigmoid", "Tanh", "Relu", "Exp", "Log", "Sqrt", "Reciprocal", "Softplus", "Gelu", "Erf", "Cos", "Sin", "Floor"),
	rows(1, 1, unary, "Neg", "Abs", "Identity"),
	rows(1, 1, cast, "Cast"),
	rows(3, 3, where, "Where"),
)

// rows makes one schema of ai.onnx per operator.
func rows(minIn, maxIn int, infer func(*Call) ([]Type, error), ops ...string) []Schema {
	out := make([]Schema, len(ops))
	for i, op := range ops {
		out[i] = Schema{Op: op, MinIn: minIn, MaxIn: maxIn, Infer: infer}
	}
	return out
}

// broadcast returns the shape that a and b broadcast to. Two names broadcast
// only when they are the same: a wrong guess would show at run time alone.
func broadcast(a, b Shape) (Shape, bool) {
	if len(a) < len(b) {
		a, b = b, a
	}
	out := slices.Clone(a)
	off := len(a) - len(b)
	one := Dim{N: 1}
	for i, d := range b {
		switch x := a[off+i]; {
		case x == d, d == one:
		case x == one:
			out[off+i] = d
		default:
			return nil, false
		}
	}
	return out, true
}

// broadcastAll broadcasts inputs from on and returns their common shape.
func (c *Call) broadcastAll(from int) (Shape, error) {
	s := c.In[from].Shape()
	for i := from + 1; i < len(c.In); i++ {
		t, ok := broadcast(s, c.In[i].Shape())
		if !ok {
			return nil, fmt.Errorf("input %d (%s) has shape %s, which does not broadcast with %s of input %d (%s)",
				i, c.In[i].name, c.In[i].Shape(), s, from, c.In[from].name)
		}
		s = t
	}
	return s, nil
}

func sameTypeBroadcast(c *Call) ([]Type, error) {
	if err := c.SameType(); err != nil {
		return nil, err
	}
	return powBroadcast(c)
}

func powBroadcast(c *Call) ([]Type, error) {
	s, err := c.broadcastAll(0)
	return []Type{{DType: c.In[0].DType(), Shape: s}}, err
}

func compare(c *Call) ([]Type, error) {
	if err := c.SameType(); err != nil {
		return nil, err
	}
	s, err := c.broadcastAll(0)
	return []Type{{DType: Bool, Shape: s}}, err
}

func logical(c *Call) ([]Type, error) {
	if err := c.Want(0, Bool); err != nil {
		return nil, err
	}
	return sameTypeBroadcast(c)
}

func floatUnary(c *Call) ([]Type, error) {
	if err := c.Want(0, Float, Double, Float16, BFloat16); err != nil {
		return nil, err
	}
	return c.same(0), nil
}

func isNaN(c *Call) ([]Type, error) {
	if _, err := floatUnary(c); err != nil {
		return nil, err
	}
	return []Type{{DType: Bool, Shape: c.In[0].Shape()}}, nil
}

// clip takes bounds that are scalars.
func clip(c *Call) ([]Type, error) {
	if err := c.SameType(); err != nil {
		return nil, err
	}
	for i := 1; i < len(c.In); i++ {
		if err := c.WantRank(i, 0); err != nil {
			return nil, err
		}
	}
	return c.same(0), nil
}

func unary(c *Call) ([]Type, error) { return c.same(0), nil }

func cast(c *Call) ([]Type, error) {
	if c.Attr("to") == nil {
		return nil, fmt.Errorf("attribute to is missing")
	}
	t := c.In[0].typ
	t.DType = DType(c.Int("to", 0))
	if t.DType != Int64 && t.DType != Int32 {
		t.Elems = nil
	}
	return []Type{t}, nil
}

func where(c *Call) ([]Type, error) {
	if err := c.Want(0, Bool); err != nil {
		return nil, err
	}
	if err := c.Want(2, c.In[1].DType()); err != nil {
		return nil, err
	}
	s, err := c.broadcastAll(0)
	return []Type{{DType: c.In[1].DType(), Shape: s}}, err
}
