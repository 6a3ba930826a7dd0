package graph

import (
	"fmt"
	"slices"
)

// nnOps are products and normalizations.
var nnOps = slices.Concat(
	rows(2, 3, gemm, "Gemm"),
	rows(2, 2, matMul, "MatMul"),
	rows(2, 2, rmsNorm, "RMSNormalization"),
	rows(2, 3, rmsNorm, "LayerNormalization"),
	rows(1, 1, floatUnary, "Softmax"),
)

func gemm(c *Call) ([]Type, error) {
	if err := c.SameType(); err != nil {
		return nil, err
	}
	for i := range 2 {
		if err := c.WantRank(i, 2); err != nil {
			return nil, err
		}
	}
	m, k := c.In[0].Shape()[0], c.In[0].Shape()[1]
	if c.Int("transA", 0) != 0 {
		m, k = k, m
	}
	kb, n := c.In[1].Shape()[0], c.In[1].Shape()[1]
	if c.Int("transB", 0) != 0 {
		kb, n = n, kb
	}
	if k != kb {
		return nil, fmt.Errorf("input 1 (%s) has shape %s, expected %s on the inner side as input 0 (%s) of shape %s has",
			c.In[1].name, c.In[1].Shape(), k, c.In[0].name, c.In[0].Shape())
	}
	out := Shape{m, n}
	if c.Has(2) {
		if s, ok := broadcast(out, c.In[2].Shape()); !ok || !s.Equal(out) {
			return nil, fmt.Errorf("input 2 (%s) has shape %s, which does not broadcast to %s", c.In[2].name, c.In[2].Shape(), out)
		}
	}
	return []Type{{DType: c.In[0].DType(), Shape: out}}, nil
}

func matMul(c *Call) ([]Type, error) {
	if err := c.SameType(); err != nil {
		return nil, err
	}
	a, b := c.In[0].Shape(), c.In[1].Shape()
	if len(a) < 2 || len(b) < 2 {
		return nil, fmt.Errorf("inputs have shapes %s and %s, expected at least 2 dimensions", a, b)
	}
	na, nb := len(a), len(b)
	batch, ok := broadcast(a[:na-2], b[:nb-2])
	if !ok || a[na-1] != b[nb-2] {
		return nil, fmt.Errorf("input 1 (%s) has shape %s, which does not fit %s of input 0 (%s)", c.In[1].name, b, a, c.In[0].name)
	}
	return []Type{{DType: c.In[0].DType(), Shape: slices.Concat(batch, Shape{a[na-2], b[nb-1]})}}, nil
}

func rmsNorm(c *Call) ([]Type, error) {
	if err := c.SameType(); err != nil {
		return nil, err
	}
	ax, err := axis(c.Int("axis", -1), c.In[0].Rank())
	if err != nil {
		return nil, err
	}
	for i := 1; i < len(c.In); i++ {
		if !c.Has(i) {
			continue
		}
		if err := c.WantShape(i, c.In[0].Shape()[ax:]); err != nil {
			return nil, err
		}
	}
	return c.same(0), nil
}
