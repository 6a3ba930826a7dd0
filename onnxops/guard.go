package onnxops

import (
	"fmt"
	"math"
	"reflect"

	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
)

// The guard of positions. A look-up past the end of a table is an error on ONNX
// Runtime's CPU provider alone: on CUDA it gives zeros, other runtimes do as they
// please, and −1 is a table's last row. So positions are brought inside the tables
// before they are looked up, and where that changed one, every logit of its row of
// the batch is NaN, in this call and in each later one that has the token in its
// past.
//
// The guard is a value and not a shape: OpenVINO, tract and symbolic shape
// inference refuse shapes that depend on numbers. It stands after the last layer,
// for attention may swallow a NaN of its queries and keys (OpenVINO's does). Later
// calls go by the first cache of values, where a token outside left NaN: whoever
// carries the cache carries that, and to look costs one number a position.

// guardPositions takes the input position_ids: e.positions are inside the tables,
// e.inside tells which of them were.
func (e *emitter) guardPositions(given *graph.Value) {
	e.positions = e.insideTables(names.GuardPositions, given)
	e.inside = e.g.Op("Equal", names.GuardInside, []*graph.Value{given, e.positions})
}

// insideTables are positions brought inside the tables by a node of that name.
func (e *emitter) insideTables(name string, positions *graph.Value) *graph.Value {
	return e.g.Op("Clip", name, []*graph.Value{positions, e.int64Scalar("0", 0), e.int64Scalar("last_position", int64(e.opts.MaxLength)-1)})
}

// guardTotal is guardPositions where GroupQueryAttention counts positions itself:
// total <= MaxLength, of one element. No later call is shorter, so nothing need be
// seen in the past.
func (e *emitter) guardTotal() {
	e.inside = e.g.Op("LessOrEqual", names.GuardTotal, []*graph.Value{e.total(), e.ints("max_length", int64(e.opts.MaxLength))})
}

// marked are the values v that a layer caches, (batch, heads, sequence, size): in
// the first layer NaN where a position was outside. past is its cache.
func (e *emitter) marked(l *layer, v, past *graph.Value) *graph.Value {
	if e.marks != nil {
		return v
	}
	e.marks = past
	return e.g.Op("Where", l.at(names.Marked), []*graph.Value{e.insideColumn(), v, e.nan()})
}

// insideColumn is e.inside as (batch, 1, sequence, 1).
func (e *emitter) insideColumn() *graph.Value {
	return e.once("/guard/inside/column", func() *graph.Value {
		return e.g.Op("Unsqueeze", names.GuardColumn, []*graph.Value{e.inside, e.ints("axes13", 1, 3)})
	})
}

// guardRows is x (batch*sequence, hidden) before the head, NaN in rows of the batch
// where a position is, or was, outside.
func (e *emitter) guardRows(x *graph.Value) *graph.Value {
	g, inside := e.g, e.inside
	if e.marks != nil {
		before := g.Op("Slice", names.GuardMarks, []*graph.Value{e.marks, e.ints("from", 0, 0), e.ints("to", 1, 1), e.ints("axes13", 1, 3)})
		before = g.Op("IsNaN", names.GuardBefore, []*graph.Value{before})
		now := g.Op("Not", names.GuardNow, []*graph.Value{e.insideColumn()})
		v := g.Op("Concat", names.GuardOutside, []*graph.Value{before, now}, graph.IntAttr("axis", 2))
		v = g.Op("Cast", names.GuardOutside1, []*graph.Value{v}, graph.IntAttr("to", int(graph.Int64)))
		v = g.Op("ReduceSum", names.GuardCount, []*graph.Value{v, e.ints("axes12", 1, 2)}, graph.IntAttr("keepdims", 0))
		v = g.Op("Equal", names.GuardRow, []*graph.Value{v, e.int64Scalar("0", 0)})
		v = g.Op("And", names.GuardTokens, []*graph.Value{inside, v})
		inside = g.Op("Reshape", names.GuardTokenRows, []*graph.Value{v, e.rows(1)})
		if e.early {
			inside = e.chosen(names.LastInside, inside)
		}
	}
	return g.Op("Where", names.Guard, []*graph.Value{inside, x, e.nan()})
}

func (e *emitter) nan() *graph.Value { return e.scalar("nan", math.NaN()) }

// total is the vector [total], from attention_mask's shape.
func (e *emitter) total() *graph.Value {
	if e.totalVec == nil {
		e.totalVec = e.g.Op("Shape", names.Total, []*graph.Value{e.mask}, graph.IntAttr("start", 1), graph.IntAttr("end", 2))
	}
	return e.totalVec
}

// ints is a constant int64 vector, made once for each name.
func (e *emitter) ints(name string, v ...int64) *graph.Value {
	name = "/const/" + name
	return e.constant(name, v, func() *graph.Value { return e.g.Ints(name, v...) })
}

// int64Scalar is a constant int64 scalar, made once for each name.
func (e *emitter) int64Scalar(name string, v int64) *graph.Value {
	name = "/const/" + name
	return e.constant(name, v, func() *graph.Value { return e.g.Int(name, v) })
}

// constant is once for what has a name and a value: two values of one name are an error.
func (e *emitter) constant(name string, v any, make func() *graph.Value) *graph.Value {
	if was, there := e.values[name]; there && !reflect.DeepEqual(was, v) && fmt.Sprint(was) != fmt.Sprint(v) { // NaN is as NaN
		e.g.Fail(fmt.Errorf("constant %q is %v and %v", name, was, v))
	}
	e.values[name] = v
	return e.once(name, make)
}
