package onnxops

import (
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/posenc"
)

// groupQueryAttention uses com.microsoft GroupQueryAttention, which rotates
// and caches by itself.
func (e *emitter) groupQueryAttention(i int, a *family.Attention, x, residual *graph.Value) *graph.Value {
	g, at := e.g, func(place string) string { return names.Layer(i, place) }
	past, present := e.cache(i, a, int64(a.QKDim))
	q, k, v := e.flatHeads(i, a, x)
	t := e.tables(a.Rotary)
	attrs := []graph.Attr{
		graph.IntAttr("num_heads", a.Heads),
		graph.IntAttr("kv_num_heads", a.KVHeads),
		graph.IntAttr("do_rotary", 1),
	}
	attrs = append(attrs, scoreAttrs(a)...)
	if a.Rotary.Pairing == posenc.Interleaved {
		attrs = append(attrs, graph.IntAttr("rotary_interleaved", 1))
	}
	if a.Window > 0 {
		attrs = append(attrs, graph.IntAttr("local_window_size", a.Window))
	}
	name := at(names.GroupQueryAttention)
	in := []*graph.Value{q, k, v, past[0], past[1], e.lastKey, e.totalInt32, t.cos, t.sin}
	if a.Sinks != nil {
		in = append(in, nil, nil, e.weights.float32(*a.Sinks))
	}
	out := g.Add(graph.Node{
		Domain: graph.Microsoft, Op: "GroupQueryAttention", Name: name,
		In:    in,
		Out:   []string{name + "_output_0", present[0], present[1]},
		Attrs: attrs,
	})
	e.presents = append(e.presents, out[1:]...)
	y := out[0]
	if !e.threeAxes {
		y = g.Op("Reshape", at(names.Joined)+names.Reshape, []*graph.Value{y, e.rows(a.Heads * a.VDim)})
	}
	y = e.norm(at(family.AtHeadNorm), y, a.HeadNorm) // over all heads, if any
	return e.linearOnto(at(family.AtO), residual, e.outGate(i, a, x, y), a.O)
}

// flatHeads projects x to queries, keys and values of (batch, sequence, heads *
// head size), or to all three side by side as the first, the others nil: one
// Gemm on the joined weights, which are joined when the session loads. Norms of
// queries and keys need them apart, and so do tools that look for weights; products with
// codes are joined where all three are MatMulNBits of one scheme.
func (e *emitter) flatHeads(layer int, a *family.Attention, x *graph.Value) (q, k, v *graph.Value) {
	flat := func(width int) *graph.Value {
		return e.shape(names.FlatShape(width), int64(width))
	}
	if !e.apart(a) {
		return e.packedHeads(layer, a, x, flat), nil, nil
	}
	heads := func(side names.Side, n int, l family.Linear, norm *family.Norm) *graph.Value {
		at := func(place string) string { return names.Layer(layer, place) }
		v := e.clipped(at(side.Clipped()), e.linear(at(side.Proj()), x, l), a.Clip)
		if side == names.V {
			v = e.scaled(names.Node(at(side.Scaled()), "Mul"), v, a.ValueScale)
		}
		if norm != nil {
			if norm.Size == a.QKDim {
				v = e.g.Op("Reshape", at(side.Norm())+names.Reshape, []*graph.Value{v, e.headShape(n, a.QKDim)})
			}
			v = e.norm(at(side.Norm()), v, norm)
		}
		v = e.g.Op("Reshape", at(side.Heads())+names.Reshape, []*graph.Value{v, flat(n * a.QKDim)})
		if side == names.Q && a.QueryScale != nil { // turned or not, a head is as long
			v = e.g.Op("Mul", names.Node(at(side.Scaled()), "Mul"), []*graph.Value{v, e.queryScale(*a.QueryScale)})
		}
		return v
	}
	return heads(names.Q, a.Heads, a.Q, a.QNorm), heads(names.K, a.KVHeads, a.K, a.KNorm), heads(names.V, a.KVHeads, a.V, a.VNorm)
}

// apart tells whether queries, keys and values are a product each.
func (e *emitter) apart(a *family.Attention) bool {
	return e.opts.Linear == LinearMatMul || e.inCodes(a.Q, a.K, a.V) && e.joinable(a.Q, a.K, a.V) == nil || a.QNorm != nil || a.KNorm != nil || a.VNorm != nil || a.Clip != 0 || a.ValueScale != 0 || a.QueryScale != nil || (a.Q.Bias == nil) != (a.K.Bias == nil) || (a.Q.Bias == nil) != (a.V.Bias == nil)
}

// joinable are maps over the same input in codes that one MatMulNBits can multiply, nil
// where it cannot.
func (e *emitter) joinable(maps ...family.Linear) []*rounded {
	var list []*rounded
	for _, l := range maps {
		r := e.rounds(l.Weight)
		if r == nil || !e.byNBits(r) || r.scheme != e.rounds(maps[0].Weight).scheme {
			return nil
		}
		list = append(list, r)
	}
	return list
}

// packedHeads is the form of flatHeads with one product.
func (e *emitter) packedHeads(layer int, a *family.Attention, x *graph.Value, flat func(int) *graph.Value) *graph.Value {
	y := e.joinedProduct(names.Layer(layer, names.PackedProj), x, a.Q, a.K, a.V)
	if e.threeAxes {
		return y
	}
	return e.g.Op("Reshape", names.Layer(layer, names.Packed)+names.Reshape, []*graph.Value{y, flat((a.Heads + 2*a.KVHeads) * a.QKDim)})
}

// joinedProduct emits what maps make of x side by side, by one product on their weights,
// which are joined by rows when the session loads. All of them have biases, or none has.
func (e *emitter) joinedProduct(proj string, x *graph.Value, maps ...family.Linear) *graph.Value {
	var biases []*graph.Value
	for _, l := range maps {
		if b := e.weights.optional(l.Bias); b != nil {
			biases = append(biases, b)
		}
	}
	join := func(of string, list []*graph.Value) *graph.Value {
		if list == nil {
			return nil
		}
		return e.g.Op("Concat", proj+"/"+of+"/Concat", list, graph.IntAttr("axis", 0))
	}
	if codes := e.joinable(maps...); codes != nil {
		return e.roundedProduct(names.Node(proj, "Gemm"), x, join("bias", biases), codes...)
	}
	var weights []*graph.Value
	for _, l := range maps {
		weights = append(weights, e.weights.float32(l.Weight))
	}
	in := []*graph.Value{x, join("weight", weights)}
	if biases != nil {
		in = append(in, join("bias", biases))
	}
	return e.g.Op("Gemm", names.Node(proj, "Gemm"), in, graph.IntAttr("transB", 1))
}

// paddedPlanes is the width of GroupQueryAttention's tables: the number of
// planes, rounded up to a multiple of 8.
func paddedPlanes(r posenc.Rotary) int { return (r.Planes() + 7) / 8 * 8 }

// ortLengths computes GroupQueryAttention's lengths: the last key's index in
// each row (batch) and total, a scalar; both int32.
func (e *emitter) ortLengths() {
	g := e.g
	n := g.Op("ReduceSum", "/lengths/ReduceSum", []*graph.Value{e.mask, e.ints("axis1", 1)}, graph.IntAttr("keepdims", 0))
	e.rowTotal = n
	n = g.Op("Sub", "/lengths/Sub", []*graph.Value{n, e.int64Scalar("1", 1)})
	e.lastKey = g.Op("Cast", names.LastKey, []*graph.Value{n}, graph.IntAttr("to", int(graph.Int32)))
	t := g.Op("Squeeze", "/lengths/total/Squeeze", []*graph.Value{e.total(), e.ints("axis0", 0)})
	e.totalInt32 = g.Op("Cast", names.TotalInt, []*graph.Value{t}, graph.IntAttr("to", int(graph.Int32)))
}
