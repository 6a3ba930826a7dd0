package onnxops

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
)

// chunkTokens is how many tokens a recurrence takes at a time: within a chunk it is
// a sum over pairs of tokens, like scores. A call of fewer tokens is one chunk of
// them, so that decoding a token does not pay for more.
const chunkTokens = 32

// chunking is how a call's tokens are cut.
type chunking struct {
	size, count, padding *graph.Value // vectors of one number
}

// The names of its lengths.
const (
	chunkDim   = "chunk"
	chunksDim  = "chunks"
	paddingDim = "chunk_padding"
)

// chunked is the cut of a call's tokens into chunks, made once.
func (e *emitter) chunked() chunking {
	vec := func(name string, dim string, make func(path string) *graph.Value) *graph.Value {
		return e.once("/chunks/"+name, func() *graph.Value {
			v := make("/chunks/" + name)
			e.g.Assume(v, graph.Sym(dim))
			return v
		})
	}
	op := func(op, path string, in ...*graph.Value) *graph.Value { return e.g.Op(op, names.Node(path, op), in) }
	var c chunking
	c.size = vec("size", chunkDim, func(path string) *graph.Value {
		e.g.DefineSum(graph.Sym(chunkDim+"*"+chunksDim), graph.Sym(names.Sequence), graph.Sym(paddingDim))
		return op("Min", path, e.sequenceVec(), e.ints("chunk", chunkTokens))
	})
	c.count = vec("count", chunksDim, func(path string) *graph.Value {
		up := op("Add", path, e.sequenceVec(), op("Sub", path, c.size, e.ints("one", 1)))
		return op("Div", path, up, c.size)
	})
	c.padding = vec("padding", paddingDim, func(path string) *graph.Value {
		return op("Sub", path, op("Mul", path, c.size, c.count), e.sequenceVec())
	})
	return c
}

// selective emits the recurrence of a Mamba 2 layer at a place, (batch, sequence, inner), over
// all, whose rows are Δx, B, C and the logarithms of decays. Tokens that fill the
// last chunk are zeros: they give nothing and keep the state as it is.
func (e *emitter) selective(i int, place string, m *family.Mamba, all *graph.Value) *graph.Value {
	g, c, path := e.g, e.chunked(), names.Layer(i, place)
	inner := m.Inner()
	width := inner + 2*m.Shared() + m.Heads
	batch := e.once("/batch", func() *graph.Value {
		return g.Op("Shape", "/batch/Shape", []*graph.Value{e.ids}, graph.IntAttr("start", 0), graph.IntAttr("end", 1))
	})
	joined := func(name string, list ...*graph.Value) *graph.Value {
		return e.once(name, func() *graph.Value { return g.Op("Concat", name+"/Concat", list, graph.IntAttr("axis", 0)) })
	}
	wide := e.ints(fmt.Sprintf("width%d", width), int64(width))
	zeros := e.once(fmt.Sprintf("/chunks/zeros%d", width), func() *graph.Value {
		name := fmt.Sprintf("/chunks/zeros%d", width)
		return g.Op("ConstantOfShape", name+"/ConstantOfShape", []*graph.Value{joined(name+"/shape", batch, c.padding, wide)})
	})
	all = g.Op("Concat", path+"/filled/Concat", []*graph.Value{all, zeros}, graph.IntAttr("axis", 1))
	all = g.Op("Reshape", path+"/chunks"+names.Reshape, []*graph.Value{all, joined(fmt.Sprintf("/shape/chunks%d", width), batch, c.count, c.size, wide)})
	past, present := e.state(i, names.Recurrent, m.Heads, m.HeadDim, m.StateSize)
	loop := graph.Scan{Name: names.Node(path, "Scan"), States: []*graph.Value{past}, Inputs: []*graph.Value{all}, Axis: 1, Out: []string{present},
		Body: func(b *graph.Graph, states, slices []*graph.Value) (next, out []*graph.Value) {
			s, y := mambaChunk(b, path+"/step", m, states[0], slices[0])
			return []*graph.Value{s}, []*graph.Value{y}
		}}
	outs := g.Scan(loop)
	if g.Err() != nil {
		return all
	}
	e.presents = append(e.presents, outs[0])
	y := g.Op("Reshape", path+"/joined"+names.Reshape, []*graph.Value{outs[1], e.ints(fmt.Sprintf("joined%d", inner), 0, -1, int64(inner))})
	return g.Op("Gather", path+"/tokens/Gather", []*graph.Value{y, e.maskBase().step}, graph.IntAttr("axis", 1))
}

// mambaChunk adds one chunk of the recurrence to b: the next state and the outputs,
// (batch, tokens, inner), of the state and of rows Δx, B, C and logarithms of decays.
// With c the running sum of these (in float64: a difference of two is what counts),
//
//	y_t = e^{c_t} S C_t + Σ_{s ≤ t} e^{c_t − c_s} (B_s·C_t) Δx_s
//	S' = e^{c_T} S + Σ_s e^{c_T − c_s} Δx_s B_sᵀ
func mambaChunk(b *graph.Graph, path string, m *family.Mamba, state, rows *graph.Value) (next, y *graph.Value) {
	op := func(name, op string, in ...*graph.Value) *graph.Value { return b.Op(op, path+"/"+name+"/"+op, in) }
	ints := func(name string, v ...int64) *graph.Value { return b.Ints(path+"/const/"+name, v...) }
	turned := func(name string, v *graph.Value, perm ...int) *graph.Value {
		return b.Op("Transpose", path+"/"+name+"/Transpose", []*graph.Value{v}, graph.IntsAttr("perm", perm...))
	}
	cast := func(name string, v *graph.Value, to graph.DType) *graph.Value {
		return b.Op("Cast", path+"/"+name+"/Cast", []*graph.Value{v}, graph.IntAttr("to", int(to)))
	}
	groups, each := int64(m.Groups), int64(m.Heads/m.Groups)
	head, size := int64(m.HeadDim), int64(m.StateSize)
	axis2, axis3, axis4 := ints("axis2", 2), ints("axis3", 3), ints("axis4", 4)
	parts := cutLast(b, path+"/parts", rows, ints("widths", int64s([]int{m.Inner(), m.Shared(), m.Shared(), m.Heads})...), 4)
	grouped := func(name string, v *graph.Value, n int64) *graph.Value { // (batch, tokens, groups, n)
		return op(name, "Reshape", v, ints(name, 0, 0, groups, n))
	}
	x := turned("x", grouped("x", parts[0], each*head), 0, 2, 3, 1) // (batch, groups, heads·size, tokens)
	five := ints("heads", 0, groups, each, head, -1)
	x5 := op("heads", "Reshape", x, five)
	from := grouped("b", parts[1], size)
	to := turned("c", grouped("c", parts[2], size), 0, 2, 3, 1)
	from = turned("b", from, 0, 2, 1, 3)
	sums := b.Op("CumSum", path+"/sums/CumSum", []*graph.Value{cast("decay", parts[3], graph.Double), b.Int(path+"/const/axis1", 1)})
	sums = op("sums", "Reshape", turned("sums", sums, 0, 2, 1), ints("sums", 0, groups, each, -1))

	weights := op("pairs", "Sub", op("to", "Unsqueeze", sums, axis3), op("from", "Unsqueeze", sums, axis4))
	weights = op("pairs", "Exp", cast("pairs", weights, graph.Float))
	weights = b.Op("Trilu", path+"/pairs/Trilu", []*graph.Value{weights}, graph.IntAttr("upper", 1)) // what comes after is 0, were it infinite
	same := op("same", "Unsqueeze", op("same", "MatMul", from, to), axis2)
	y = op("within", "MatMul", x5, op("within", "Mul", weights, same))
	before := op("before", "MatMul", op("state", "Reshape", state, ints("state", 0, groups, each*head, size)), to)
	before = op("before", "Reshape", before, five)
	since := op("since", "Unsqueeze", op("since", "Exp", cast("since", sums, graph.Float)), axis3)
	y = op("y", "Add", y, op("before", "Mul", before, since))
	y = op("y", "Reshape", turned("y", y, 0, 4, 1, 2, 3), ints("inner", 0, 0, groups*each*head))

	last := b.Op("Gather", path+"/last/Gather", []*graph.Value{sums, b.Int(path+"/const/last", -1)}, graph.IntAttr("axis", 3))
	left := op("left", "Sub", op("last", "Unsqueeze", last, axis3), sums)
	left = op("left", "Unsqueeze", op("left", "Exp", cast("left", left, graph.Float)), axis3)
	added := op("added", "Reshape", op("added", "Mul", x5, left), ints("added", 0, groups, each*head, -1))
	added = op("added", "MatMul", added, from)
	kept := op("kept", "Unsqueeze", op("kept", "Exp", cast("kept", last, graph.Float)), ints("axes34", 3, 4))
	kept = op("kept", "Mul", op("kept", "Reshape", state, ints("kept", 0, groups, each, head, size)), kept)
	whole := ints("whole", 0, groups*each, head, size)
	next = op("next", "Add", op("kept_heads", "Reshape", kept, whole), op("added_heads", "Reshape", added, whole))
	return next, y
}
