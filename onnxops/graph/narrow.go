package graph

import "slices"

// A graph that computes in 16 bits. After [Graph.Compute], every node takes its floats
// in the type computed in: what is of another float type passes a Cast first, made once
// for each value. Parts that need more are added between [Graph.Wide] and what that
// returns, and take theirs in float32; the next node outside casts what they made. So a
// constant or a table is float32, rounded once where it is read, and the graph without
// these casts is the same graph in float32.

// Compute has nodes added from now on compute in t: Float, Float16 or BFloat16.
func (g *Graph) Compute(t DType) {
	if t != Float {
		g.computes, g.scope = t, t
	}
}

// Computes is the type that the graph computes in where no part is wide.
func (g *Graph) Computes() DType {
	if g.computes == 0 {
		return Float
	}
	return g.computes
}

// Takes is the type that nodes added now take their floats in.
func (g *Graph) Takes() DType {
	if g.scope == 0 {
		return Float
	}
	return g.scope
}

// Wide has nodes take their floats in float32 until the function returned is called.
func (g *Graph) Wide() (back func()) { return g.take(Float) }

// AsTheyAre has nodes take inputs in the types that they have until the function
// returned is called: stored weights, which are put together before they are cast.
func (g *Graph) AsTheyAre() (back func()) { return g.take(0) }

func (g *Graph) take(t DType) (back func()) {
	before := g.scope
	if g.computes != 0 {
		g.scope = t
	}
	return func() { g.scope = before }
}

// Typed is v as type t: itself, or a Cast of it; of float32 that a Cast has rounded, what
// it was before.
func (g *Graph) Typed(v *Value, t DType) *Value {
	if v == nil || v.DType() == t || g.err != nil {
		return v
	}
	if was := g.uncast[v.name]; was != nil && was.DType() == t && t == Float {
		return was
	}
	name := v.name + suffix[t]
	if c := g.values[name]; c != nil {
		return c
	}
	return g.Add(Node{Op: "Cast", Name: name, In: []*Value{v}, Out: []string{name}, Attrs: []Attr{IntAttr("to", int(t))}})[0]
}

// suffix of what is cast to a type.
var suffix = map[DType]string{Float: "~float32", Float16: "~float16", BFloat16: "~bfloat16"}

func isFloat(t DType) bool { return t == Float || t == Float16 || t == BFloat16 }

// unread are operators that take any type and no number of it into account.
var unread = []string{"Cast", "Shape", "ConstantOfShape", "IsNaN"}

// moving are operators that give the numbers that they were given: such need no cast,
// as long as all of them have one type.
var moving = []string{"Gather", "GatherElements", "Reshape", "Transpose", "Unsqueeze", "Squeeze", "Slice", "Split", "Expand", "Identity", "Concat", "Pad", "Trilu"}

// typed are a node's inputs in the type that it takes.
func (g *Graph) typed(n Node) []*Value {
	if g.computes == 0 || g.scope == 0 || slices.Contains(unread, n.Op) {
		return n.In
	}
	var found []DType
	for _, v := range n.In {
		if v != nil && isFloat(v.DType()) && !slices.Contains(found, v.DType()) {
			found = append(found, v.DType())
		}
	}
	if len(found) == 0 || len(found) == 1 && (found[0] == g.scope || slices.Contains(moving, n.Op)) {
		return n.In
	}
	in := slices.Clone(n.In)
	for i, v := range in {
		if v != nil && isFloat(v.DType()) {
			in[i] = g.Typed(v, g.scope)
		}
	}
	return in
}
