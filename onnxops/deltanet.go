package onnxops

import (
	"fmt"
	"math"
	"slices"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
)

// deltaNet emits residual + a gated delta net over x (batch*sequence, hidden). The
// recurrence is a Scan over tokens, one step of which is one call of decoding.
func (e *emitter) deltaNet(i int, d *family.DeltaNet, x, residual *graph.Value) *graph.Value {
	g, at := e.g, func(place string) string { return names.Layer(i, place) }
	op := func(place, op string, in ...*graph.Value) *graph.Value {
		return g.Op(op, names.Node(at(place), op), in)
	}
	mixed := e.deltaMixed(i, d, x)
	narrow := g.Wide()
	q, k := d.KHeads*d.KDim, d.KHeads*d.KDim
	heads := func(name string, begin, end, n, size int) *graph.Value {
		v := e.slice(at(family.AtDelta)+"/"+name+"/Slice", mixed, 2, int64(begin), int64(end))
		return g.Op("Reshape", at(family.AtDelta)+"/"+name+names.Reshape, []*graph.Value{v, e.shape(fmt.Sprintf("heads%dx%d", n, size), int64(n), int64(size))})
	}
	unit := func(name string, begin int, factor float64) *graph.Value {
		v := heads(name, begin, begin+q, d.KHeads, d.KDim)
		w := e.floats(fmt.Sprintf("delta_%s%d", name, d.KDim), []int64{int64(d.KDim)}, slices.Repeat([]float64{factor}, d.KDim))
		v = g.Op("RMSNormalization", at(names.DeltaUnit)+"/"+name+"/RMSNormalization", []*graph.Value{v, w}, graph.IntAttr("axis", -1), graph.FloatAttr("epsilon", family.DeltaEps/float64(d.KDim)))
		if d.Heads == d.KHeads {
			return v
		}
		return g.Op("Gather", at(names.DeltaUnit)+"/"+name+"/Gather", []*graph.Value{v, e.each(d.KHeads, d.Heads/d.KHeads)}, graph.IntAttr("axis", 2))
	}
	root := math.Sqrt(float64(d.KDim))
	query, key := unit("q", 0, 1/root/root), unit("k", q, 1/root)
	value := heads("v", q+k, q+k+d.Heads*d.VDim, d.Heads, d.VDim)
	alpha, beta := e.deltaGates(i, d, x)
	row := func(name string, v *graph.Value) *graph.Value {
		return op(family.AtDelta+"/"+name, "Unsqueeze", v, e.ints("axis3", 3))
	}
	rate := op(family.AtDelta+"/k_rated", "Mul", op(family.AtDelta+"/k_column", "Unsqueeze", key, e.ints("axis4", 4)), beta)
	past, present := e.state(i, names.Recurrent, d.Heads, d.KDim, d.VDim)
	prefix := names.Node(at(names.DeltaContext), "Scan")
	out := g.Scan(graph.Scan{Name: prefix, Axis: 1, Out: []string{present, prefix + "_output_1"},
		States: []*graph.Value{past}, Inputs: []*graph.Value{alpha, row("k_row", key), rate, row("v_row", value), row("q_row", query)},
		Body: func(b *graph.Graph, states, in []*graph.Value) (next, out []*graph.Value) {
			op := func(name, op string, in ...*graph.Value) *graph.Value {
				return b.Op(op, prefix+"/"+name+"/"+op, in)
			}
			s := op("decayed", "Mul", states[0], in[0])
			delta := op("delta", "Sub", in[3], op("read", "MatMul", in[1], s))
			s = op("state", "Add", s, op("written", "Mul", in[2], delta))
			return []*graph.Value{s}, []*graph.Value{op("output", "MatMul", in[4], s)}
		}})
	e.presents = append(e.presents, out[0])
	o := op(names.DeltaContext, "Squeeze", out[1], e.ints("axis3", 3))
	narrow()
	o = e.norm(at(family.AtDeltaNorm), o, &d.Norm)
	width := d.Heads * d.VDim
	o = g.Op("Reshape", at(family.AtDeltaNorm)+names.Reshape, []*graph.Value{o, e.rows(width)})
	z := e.linear(at(family.AtDeltaZ), x, d.Z)
	gate := op(names.DeltaGated, "Sigmoid", z)
	if !d.SigmoidGate {
		gate = op(names.DeltaGated+"/gate", "Mul", z, gate)
	}
	return e.linearOnto(at(family.AtDeltaOut), residual, op(names.DeltaGated, "Mul", o, gate), d.Out)
}

// deltaMixed is what the recurrence reads: silu of the convolution of the
// projections, (batch, sequence, channels).
func (e *emitter) deltaMixed(i int, d *family.DeltaNet, x *graph.Value) *graph.Value {
	g, at, channels := e.g, func(place string) string { return names.Layer(i, place) }, d.Channels()
	in, places := d.Inputs()
	parts := make([]*graph.Value, len(in))
	for k, l := range in {
		parts[k] = e.linear(at(places[k]), x, *l)
	}
	z := parts[0]
	if len(parts) > 1 {
		z = g.Op("Concat", at(family.AtDelta)+"/in/Concat", parts, graph.IntAttr("axis", 1))
	}
	z = g.Op("Reshape", at(family.AtDelta)+"/in"+names.Reshape, []*graph.Value{z, e.shape(names.FlatShape(channels), int64(channels))})
	w := make([]*graph.Value, len(d.Convs))
	for k := range d.Convs {
		w[k] = e.weights.float32(d.Convs[k].Weight)
	}
	taps := w[0]
	if len(w) > 1 {
		taps = g.Op("Concat", at(family.AtDelta)+"/taps/Concat", w, graph.IntAttr("axis", 0))
	}
	z = e.convolved(i, at(family.AtDeltaConv(0)), names.Window, taps, d.Convs[0].Taps, channels, z)
	return g.Op("Mul", names.Node(at(names.DeltaMixed), "Mul"), []*graph.Value{z, g.Op("Sigmoid", names.Node(at(names.DeltaMixed), "Sigmoid"), []*graph.Value{z})})
}

// deltaGates are the decays and rates of every token, (batch, sequence, heads, 1, 1),
// decays of each number of a key (batch, sequence, heads, key size, 1): 1 and 0 at
// padding.
func (e *emitter) deltaGates(i int, d *family.DeltaNet, x *graph.Value) (alpha, beta *graph.Value) {
	g := e.g
	op := func(name, op string, in ...*graph.Value) *graph.Value {
		return g.Op(op, names.Node(names.Layer(i, family.AtDelta)+"/"+name, op), in)
	}
	flat := func(name, place string, l family.Linear, n int) *graph.Value {
		v := e.linear(names.Layer(i, place), x, l)
		return op(name, "Reshape", v, e.shape(names.FlatShape(n), int64(n)))
	}
	last := func(name string, v *graph.Value) *graph.Value {
		v = op(name+"/real", "Where", e.realRows(), v, e.scalar("seen", 0))
		return op(name, "Unsqueeze", v, e.ints("axes34", 3, 4))
	}
	a := op("dt", "Add", flat("dt", family.AtDeltaA, d.A, d.Decays()), e.weights.float32(d.DT))
	rate := op("a_log", "Exp", e.weights.float32(d.ALog))
	if d.KeyDecay {
		each := e.ints(fmt.Sprintf("heads0_0_%d_%d", d.Heads, d.KDim), 0, 0, int64(d.Heads), int64(d.KDim))
		a, rate = op("dt/heads", "Reshape", a, each), op("a_log", "Unsqueeze", rate, e.ints("axis1", 1))
	}
	if d.Bound != 0 {
		a = op("decay/bounded", "Mul", op("decay", "Sigmoid", op("decay", "Mul", a, rate)), e.scalar(fmt.Sprintf("decay_bound_%v", d.Bound), d.Bound))
	} else {
		a = op("decay", "Mul", op("dt", "Softplus", a), op("decay", "Neg", rate))
	}
	if d.KeyDecay {
		a = op("alpha/flat", "Reshape", a, e.shape(names.FlatShape(d.Decays()), int64(d.Decays())))
		a = op("alpha/real", "Where", e.realRows(), a, e.scalar("seen", 0))
		a = op("alpha", "Reshape", a, e.ints(fmt.Sprintf("heads0_0_%d_%d_1", d.Heads, d.KDim), 0, 0, int64(d.Heads), int64(d.KDim), 1))
	} else {
		a = last("alpha", a)
	}
	alpha = op("alpha", "Exp", a)
	b := op("beta", "Sigmoid", flat("beta", family.AtDeltaB, d.B, d.Heads))
	if d.BetaScale != 1 {
		b = op("beta/scaled", "Mul", b, e.scalar(fmt.Sprintf("beta_scale_%v", d.BetaScale), d.BetaScale))
	}
	return alpha, last("beta", b)
}

// each is the vector of 0 to n − 1, each repeated.
func (e *emitter) each(n, times int) *graph.Value {
	var list []int64
	for i := range n {
		list = append(list, slices.Repeat([]int64{int64(i)}, times)...)
	}
	return e.ints(fmt.Sprintf("each_of%dx%d", n, times), list...)
}
