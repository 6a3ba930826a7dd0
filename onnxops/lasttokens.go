package onnxops

import (
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
)

// lastTokens are the rows of x, (batch*sequence, hidden), that the head is computed for: x
// itself, or with LogitsLast one of each row of the batch, (batch, hidden). That is the
// last column of the call in which attention_mask is 1, at
//
//	row · sequence + max_s mask[row, past + s] · s
//
// so that a row that is padded on the right has its last token's; of a row that is all
// padding in this call, the first column's.
func (e *emitter) lastTokens(x *graph.Value) *graph.Value {
	if e.opts.Logits == LogitsAll {
		return x
	}
	g, call := e.g, e.call()
	last := g.Op("Mul", names.LastPlaces, []*graph.Value{e.realNow(), call.step})
	last = g.Op("ReduceMax", names.LastColumn, []*graph.Value{last, e.ints("axis1", 1)}, graph.IntAttr("keepdims", 0))
	batch := g.Op("Gather", names.LastBatch, []*graph.Value{e.lengths, e.int64Scalar("0", 0)})
	rows := g.Op("Range", names.LastRow, []*graph.Value{e.int64Scalar("0", 0), batch, e.int64Scalar("1", 1)})
	rows = g.Op("Mul", names.LastFirst, []*graph.Value{rows, call.sequence})
	rows = g.Op("Add", names.LastPlace, []*graph.Value{rows, last})
	return g.Op("Gather", names.LastChosen, []*graph.Value{x, rows})
}

// logitsShape is (batch, sequence, vocabulary), or with LogitsLast (batch, 1, vocabulary).
func (e *emitter) logitsShape(vocab int64) *graph.Value {
	if e.opts.Logits == LogitsAll {
		return e.shape(names.LogitsShape, vocab)
	}
	return e.ints("last_logits", -1, 1, vocab)
}
