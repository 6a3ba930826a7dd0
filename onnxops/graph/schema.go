package graph

import (
	"fmt"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// Schema says what one operator takes and how its outputs follow.
type Schema struct {
	Domain string // "" is ai.onnx
	Op     string
	MinIn  int
	MaxIn  int
	Gaps   bool // inputs before MinIn may be left out too; Infer looks after that

	// Infer checks the inputs and returns the outputs' types. Its errors say what
	// was found and what was expected; the graph adds node and operator.
	Infer func(c *Call) ([]Type, error)
}

// Call is one node under inference.
type Call struct {
	In    []*Value // nil where an optional input is left out
	Attrs []Attr
	g     *Graph
	outs  int // outputs asked for
}

// Has reports whether input i is given.
func (c *Call) Has(i int) bool { return i < len(c.In) && c.In[i] != nil }

// Attr returns the attribute called name, or nil.
func (c *Call) Attr(name string) Attr {
	for _, a := range c.Attrs {
		if a.GetName() == name {
			return a
		}
	}
	return nil
}

// Int returns an integer attribute, or def where it is absent.
func (c *Call) Int(name string, def int64) int64 {
	if a := c.Attr(name); a != nil {
		return a.GetI()
	}
	return def
}

// Ints returns a list attribute; ok is false where it is absent.
func (c *Call) Ints(name string) (v []int64, ok bool) {
	if a := c.Attr(name); a != nil {
		return a.GetInts(), true
	}
	return nil, false
}

// Sum returns the name or length of a + b, as told by [Graph.DefineSum].
func (c *Call) Sum(a, b Dim) Dim { return c.g.sum(a, b) }

// Want returns an error unless input i has one of the given element types.
func (c *Call) Want(i int, types ...DType) error {
	for _, t := range types {
		if c.In[i].DType() == t {
			return nil
		}
	}
	return fmt.Errorf("input %d (%s) is %s, expected %v", i, c.In[i].name, c.In[i].DType(), types)
}

// WantRank returns an error unless input i has n dimensions.
func (c *Call) WantRank(i, n int) error {
	if c.In[i].Rank() == n {
		return nil
	}
	return fmt.Errorf("input %d (%s) has shape %s, expected %d dimensions", i, c.In[i].name, c.In[i].Shape(), n)
}

// WantShape returns an error unless input i has exactly the shape s.
func (c *Call) WantShape(i int, s Shape) error {
	if c.In[i].Shape().Equal(s) {
		return nil
	}
	return fmt.Errorf("input %d (%s) has shape %s, expected %s", i, c.In[i].name, c.In[i].Shape(), s)
}

// SameType returns an error unless all inputs given have input 0's element type.
func (c *Call) SameType() error {
	for i := range c.In {
		if c.Has(i) && c.In[i].DType() != c.In[0].DType() {
			return fmt.Errorf("input %d (%s) is %s, expected %s as input 0 (%s)",
				i, c.In[i].name, c.In[i].DType(), c.In[0].DType(), c.In[0].name)
		}
	}
	return nil
}

// same is the result of an operator that keeps type and shape of input i.
func (c *Call) same(i int) []Type {
	return []Type{{DType: c.In[i].DType(), Shape: c.In[i].Shape()}}
}

// builtin lists the operators of ai.onnx and com.microsoft that graphs here
// use, one row each; an operator that is not in it is an error, not a guess.
var builtin = func() map[string]*Schema {
	m := map[string]*Schema{}
	for _, table := range [][]Schema{elementwiseOps, shapeOps, nnOps, attentionOps, codeOps} {
		for i := range table {
			s := &table[i]
			key := s.Domain + "." + s.Op
			if m[key] != nil {
				panic("graph: two schemas of " + key)
			}
			m[key] = s
		}
	}
	return m
}()

// Function is an operator of our own: its schema, and the model-local function
// that carries it in every model using it.
type Function struct {
	Schema  Schema
	Version int // of the domain
	Proto   *onnxpb.FunctionProto
}
