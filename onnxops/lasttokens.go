package onnxops

import (
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
)

// chosen are the rows of x, (batch*sequence, width), that the head is computed for, by a
// node of that name: x itself, or with LogitsLast one of each row of the batch, (batch,
// width). That is the last column of the call in which attention_mask is 1, at
//
//	row · sequence + max_s mask[row, past + s] · s
//
// so that a row that is padded on the right has its last token's; of a row that is all
// padding in this call, the first column's.
func (e *emitter) chosen(name string, x *graph.Value) *graph.Value {
	if e.opts.Logits == LogitsAll {
		return x
	}
	return e.g.Op("Gather", name, []*graph.Value{x, e.lastPlaces()})
}

// lastPlaces are the rows of all tokens that are chosen, (batch).
func (e *emitter) lastPlaces() *graph.Value {
	return e.once(names.LastPlace, func() *graph.Value {
		g, call := e.g, e.call()
		last := g.Op("Mul", names.LastPlaces, []*graph.Value{e.realNow(), call.step})
		last = g.Op("ReduceMax", names.LastColumn, []*graph.Value{last, e.ints("axis1", 1)}, graph.IntAttr("keepdims", 0))
		batch := g.Op("Gather", names.LastBatch, []*graph.Value{e.lengths, e.int64Scalar("0", 0)})
		rows := g.Op("Range", names.LastRow, []*graph.Value{e.int64Scalar("0", 0), batch, e.int64Scalar("1", 1)})
		rows = g.Op("Mul", names.LastFirst, []*graph.Value{rows, call.sequence})
		return g.Op("Add", names.LastPlace, []*graph.Value{rows, last})
	})
}

// mixed is the stream h of block i after its mixers: the rows that are chosen of the last
// block's, where all that follows goes row by row, so that its MLP too is computed for
// them alone.
func (e *emitter) mixed(i int, b *family.Block, h *graph.Value) *graph.Value {
	byRow := !b.Parallel && b.MLP() != nil && b.Side == nil && b.Shortcut == nil && b.PerLayer == nil && e.shortcut == nil
	if i != e.lastBlock || !byRow || e.opts.Logits == LogitsAll {
		return h
	}
	e.early = true
	return e.chosen(names.LastChosen, h)
}

// logitsShape is (batch, sequence, vocabulary), or with LogitsLast (batch, 1, vocabulary).
func (e *emitter) logitsShape(vocab int64) *graph.Value {
	if e.opts.Logits == LogitsAll {
		return e.shape(names.LogitsShape, vocab)
	}
	return e.ints("last_logits", -1, 1, vocab)
}
