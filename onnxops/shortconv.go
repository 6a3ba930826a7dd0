package onnxops

import (
	"encoding/binary"
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
)

// shortConv emits residual + a gated short convolution over x (batch*sequence,
// hidden).
func (e *emitter) shortConv(i int, c *family.ShortConv, x, residual *graph.Value) *graph.Value {
	g, at := e.g, func(place string) string { return names.Layer(i, place) }
	h := int(c.Out.Weight.Shape[1])
	in := e.linear(at(family.AtConvIn), x, c.In)
	in = g.Op("Reshape", at(family.AtConvIn)+names.Reshape, []*graph.Value{in, e.shape(names.FlatShape(3*h), int64(3*h))})
	third := func(n int) *graph.Value {
		return e.slice(fmt.Sprintf("%s/part%d/Slice", at(family.AtShortConv), n), in, 2, int64(n*h), int64((n+1)*h))
	}
	b, gate, v := third(0), third(1), third(2)
	z := g.Op("Mul", names.Node(at(names.ConvGated), "Mul"), []*graph.Value{b, v})
	y := e.causal(i, at(family.AtConv), names.Window, &c.Conv, z)
	y = g.Op("Mul", names.Node(at(names.ConvMixed), "Mul"), []*graph.Value{y, gate})
	y = g.Op("Reshape", at(names.ConvMixed)+names.Reshape, []*graph.Value{y, e.rows(h)})
	return e.linearOnto(at(family.AtConvOut), residual, y, c.Out)
}

// causal emits a convolution along the tokens of z (batch, sequence, channels),
// each channel by itself: the sum of as many shifted copies as there are taps, each
// times its tap. That is a pass over memory per tap, which a Conv of as many groups
// as channels does not beat. What it saw of the last tokens is the state. Padding
// counts as 0; what follows a row's last token is stepped over.
func (e *emitter) causal(layer int, prefix, state string, c *family.Conv, z *graph.Value) *graph.Value {
	sum := e.convolved(layer, prefix, state, e.weights.float32(c.Weight), c.Taps, int(c.Weight.Shape[0]), z)
	if c.Bias != nil {
		sum = e.g.Op("Add", prefix+"/bias/Add", []*graph.Value{sum, e.weights.optional(c.Bias)})
	}
	return sum
}

// convolved is causal, without a bias, of the taps weight, (channels, 1, taps).
func (e *emitter) convolved(layer int, prefix, state string, weight *graph.Value, taps, channels int, z *graph.Value) *graph.Value {
	g, n := e.g, taps-1
	z = g.Op("Where", prefix+"/real/Where", []*graph.Value{e.realRows(), z, e.scalar("seen", 0)})
	all := z
	if n > 0 {
		past, present := e.state(layer, state, n, channels)
		all = g.Op("Concat", prefix+"/Concat", []*graph.Value{past, z}, graph.IntAttr("axis", 1))
		e.presents = append(e.presents, e.lastRows(prefix+"/last", all, n, channels, present))
	}
	w := g.Op("Transpose", prefix+"/weight/Transpose", []*graph.Value{weight}, graph.IntsAttr("perm", 2, 1, 0))
	var sum *graph.Value
	for k := range taps {
		tap := fmt.Sprintf("%s/%d", prefix, k)
		x := z
		if k < n {
			x = g.Op("Gather", tap+"/Gather", []*graph.Value{all, e.stepsFrom(k)}, graph.IntAttr("axis", 1))
		}
		x = g.Op("Mul", tap+"/Mul", []*graph.Value{x, e.slice(tap+"/weight/Slice", w, 0, int64(k), int64(k+1))})
		if sum == nil {
			sum = x
			continue
		}
		sum = g.Op("Add", tap+"/Add", []*graph.Value{sum, x})
	}
	return sum
}

// lastRows is the output of that name: the n rows of all (batch, n + sequence,
// width) that end with each row's last token, (batch, n, width).
func (e *emitter) lastRows(prefix string, all *graph.Value, n, width int, name string) *graph.Value {
	g := e.g
	at := e.once(fmt.Sprintf("/real/last/%dx%d", n, width), func() *graph.Value {
		path := fmt.Sprintf("/real/last/%dx%d", n, width)
		last := g.Op("Squeeze", path+"/Squeeze", []*graph.Value{e.lastReal(), e.ints("axis3", 3)})
		return g.Op("Add", path+"/Add", []*graph.Value{last, e.steps(n, width)})
	})
	out := g.Add(graph.Node{Op: "GatherElements", Name: prefix + "/GatherElements", In: []*graph.Value{all, at},
		Out: []string{name}, Attrs: []graph.Attr{graph.IntAttr("axis", 1)}})
	return out[0]
}

// stepsFrom is k, k + 1, … for as many as the call has tokens.
func (e *emitter) stepsFrom(k int) *graph.Value {
	step := e.maskBase().step
	if k == 0 {
		return step
	}
	path := fmt.Sprintf("/steps/%d", k)
	return e.once(path, func() *graph.Value {
		return e.g.Op("Add", path+"/Add", []*graph.Value{step, e.int64Scalar(fmt.Sprint(k), int64(k))})
	})
}

// steps is the constant (1, n, width) whose row i is i.
func (e *emitter) steps(n, width int) *graph.Value {
	name := fmt.Sprintf("/const/steps%dx%d", n, width)
	return e.once(name, func() *graph.Value {
		raw := make([]byte, 8*n*width)
		for i := range n * width {
			binary.LittleEndian.PutUint64(raw[8*i:], uint64(i/width))
		}
		return e.g.Tensor(name, graph.Int64, []int64{1, int64(n), int64(width)}, raw)
	})
}

// realRows tells tokens from padding, (batch, sequence, 1).
func (e *emitter) realRows() *graph.Value {
	return e.once("/real/rows", func() *graph.Value {
		v := e.g.Op("Cast", "/real/rows/Cast", []*graph.Value{e.realNow()}, graph.IntAttr("to", int(graph.Bool)))
		return e.g.Op("Unsqueeze", "/real/rows/Unsqueeze", []*graph.Value{v, e.ints("axis2", 2)})
	})
}

// slice is [begin, end) of an axis.
func (e *emitter) slice(name string, x *graph.Value, axis, begin, end int64) *graph.Value {
	return e.g.Op("Slice", name, []*graph.Value{x, e.ints(fmt.Sprint("at", begin), begin), e.ints(fmt.Sprint("at", end), end), e.ints(fmt.Sprint("axis", axis), axis)})
}
