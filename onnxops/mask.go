package onnxops

import (
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
)

// maskOf is the mask of a layer's scores.
func (e *emitter) maskOf(a *family.Attention) *graph.Value {
	if a.Chunk > 0 {
		return e.chunkMask(a.Chunk)
	}
	return e.scoreMask(a.Window)
}

// chunkMask is scoreMask where query i sees key j only if both are of one chunk of so
// many tokens of their row. Tokens are counted by attention_mask, so that padding
// before them moves no chunk.
func (e *emitter) chunkMask(chunk int) *graph.Value {
	prefix := names.MaskOfChunk(chunk)
	return e.once(prefix, func() *graph.Value {
		g, base := e.g, e.maskBase()
		count := e.places()
		keys := g.Op("Div", prefix+names.MaskKeyChunk, []*graph.Value{count, e.int64Scalar(fmt.Sprintf("chunk%d", chunk), int64(chunk))})
		queries := g.Op("Gather", prefix+names.MaskQueryChunk, []*graph.Value{keys, base.index}, graph.IntAttr("axis", 1))
		keys = g.Op("Unsqueeze", prefix+names.MaskKeyChunks, []*graph.Value{keys, e.ints("axes12", 1, 2)})
		queries = g.Op("Unsqueeze", prefix+names.MaskQueryChunks, []*graph.Value{queries, e.ints("axes13", 1, 3)})
		same := g.Op("Equal", prefix+names.MaskSameChunk, []*graph.Value{keys, queries})
		return e.maskScore(prefix, g.Op("And", prefix+names.MaskInWindow, []*graph.Value{base.causal, same}))
	})
}

// places are the places of past and present tokens among their row's, by
// attention_mask, (batch, total); padding before them has 0 as the first one has.
func (e *emitter) places() *graph.Value {
	return e.once(names.MaskPlace, func() *graph.Value {
		n := e.g.Op("CumSum", names.MaskCount, []*graph.Value{e.mask, e.int64Scalar("1", 1)})
		n = e.g.Op("Sub", names.MaskPlace, []*graph.Value{n, e.int64Scalar("1", 1)})
		return e.g.Op("Max", names.MaskPlaced, []*graph.Value{n, e.int64Scalar("0", 0)})
	})
}

// maskScore is the mask of what is visible but for padding.
func (e *emitter) maskScore(prefix string, visible *graph.Value) *graph.Value {
	g, base := e.g, e.maskBase()
	visible = g.Op("And", prefix+names.MaskVisible, []*graph.Value{visible, base.real})
	visible = g.Op("Or", prefix+names.MaskOrItself, []*graph.Value{visible, base.self})
	return g.Op("Where", prefix+names.MaskScore, []*graph.Value{visible, e.scalar("seen", 0), e.scalar("unseen", unseen[g.Computes()])})
}

// unseen is what hides a key, a number of the type that scores have: a lower one would
// be rounded to −∞, and a row that adds two of them would be NaN.
var unseen = map[graph.DType]float64{graph.Float: -math.MaxFloat32, graph.Float16: -65504, graph.BFloat16: -0x1.fep127}

// scoreMask returns the additive mask of (batch, 1, sequence, total) for a
// window (0: none), made once for each: 0 where query i = past + s sees key j,
// the lowest number of the scores' type elsewhere. i sees j where attention_mask[j] is 1,
// j <= i and i − j < window, and always itself, so no row is without a key.
func (e *emitter) scoreMask(window int) *graph.Value {
	if m := e.masks[window]; m != nil {
		return m
	}
	g, prefix := e.g, names.MaskOf(window)
	base := e.maskBase()
	visible := base.causal
	if window > 0 {
		first := g.Op("Sub", prefix+names.MaskFirst, []*graph.Value{base.query, e.int64Scalar(fmt.Sprintf("window%d", window), int64(window))})
		inside := g.Op("Greater", prefix+names.MaskInside, []*graph.Value{base.key, first})
		visible = g.Op("And", prefix+names.MaskInWindow, []*graph.Value{visible, inside})
	}
	m := e.maskScore(prefix, visible)
	e.masks[window] = m
	return m
}

// maskParts is what the masks of all windows share.
type maskParts struct {
	*callParts
	key    *graph.Value // (total): 0, 1, ...
	query  *graph.Value // (sequence, 1): past, past + 1, ...
	causal *graph.Value // (sequence, total)
	self   *graph.Value // (sequence, total)
	real   *graph.Value // (batch, 1, 1, total)
}

// callParts are the places of a call's tokens.
type callParts struct {
	length   *graph.Value // [sequence]
	sequence *graph.Value // the same, a scalar
	total    *graph.Value // a scalar
	step     *graph.Value // (sequence): 0, 1, ...
	index    *graph.Value // (sequence): past, past + 1, ...
}

func (e *emitter) call() *callParts {
	if e.called != nil {
		return e.called
	}
	g, first := e.g, e.ints("axis0", 0)
	p := &callParts{total: g.Op("Squeeze", names.MaskTotal, []*graph.Value{e.total(), first})}
	p.length = g.Op("Shape", names.MaskLength, []*graph.Value{e.ids}, graph.IntAttr("start", 1), graph.IntAttr("end", 2))
	p.sequence = g.Op("Squeeze", names.MaskSequence, []*graph.Value{p.length, first})
	past := g.Op("Sub", names.MaskPast, []*graph.Value{p.total, p.sequence})
	p.step = g.Op("Range", names.MaskStep, []*graph.Value{e.int64Scalar("0", 0), p.sequence, e.int64Scalar("1", 1)})
	p.index = g.Op("Add", names.MaskIndex, []*graph.Value{p.step, past})
	e.called = p
	return p
}

func (e *emitter) maskBase() *maskParts {
	if e.parts != nil {
		return e.parts
	}
	g := e.g
	p := &maskParts{callParts: e.call()}
	p.key = g.Op("Range", names.MaskKey, []*graph.Value{e.int64Scalar("0", 0), p.total, e.int64Scalar("1", 1)})
	p.query = g.Op("Unsqueeze", names.MaskQuery, []*graph.Value{p.index, e.ints("axis1", 1)})
	p.causal = g.Op("LessOrEqual", names.MaskCausal, []*graph.Value{p.key, p.query})
	p.self = g.Op("Equal", names.MaskSelf, []*graph.Value{p.key, p.query})
	isReal := g.Op("Cast", names.MaskRealKeys, []*graph.Value{e.mask}, graph.IntAttr("to", int(graph.Bool)))
	p.real = g.Op("Unsqueeze", names.MaskReal, []*graph.Value{isReal, e.ints("axes12", 1, 2)})
	e.parts = p
	return p
}

// scalar is a constant float32 scalar, made once for each name.
func (e *emitter) scalar(name string, v float64) *graph.Value {
	name = "/const/" + name
	return e.constant(name, v, func() *graph.Value { return e.g.Scalar(name, v) })
}
