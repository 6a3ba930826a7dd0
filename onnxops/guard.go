package onnxops

import (
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// guard returns an empty int64 vector that exists only while every element of
// values is non-negative: it is the tensor of shape [min(0, values...)], and a
// negative length is an error on every execution provider. Joined to the target
// of the Reshapes that split heads, it costs nothing and cannot be pruned.
//
// It is there because a Gather past the end of its table is an error on CPU
// only: on CUDA it gives zeros, and GroupQueryAttention leaves such keys
// unrotated.
func (e *emitter) guard(values ...*graph.Value) *graph.Value {
	g := e.g
	in := append(values, e.ints("zero", 0))
	slack := g.Op("Min", names.GuardMin, in)
	g.Assume(slack, graph.Fixed(0))
	zero := &onnxpb.TensorProto{DataType: int32(graph.Int64), Dims: []int64{1}, RawData: make([]byte, 8)}
	return g.Op("ConstantOfShape", names.GuardNode,
		[]*graph.Value{slack}, graph.TensorAttr("value", zero))
}

// guardPositions guards 0 <= position_ids < MaxLength.
func (e *emitter) guardPositions() *graph.Value {
	g := e.g
	first := e.ints("axis0", 0)
	bound := func(op string) *graph.Value {
		v := g.Op(op, names.GuardPosition+op, []*graph.Value{e.positions}, graph.IntAttr("keepdims", 0))
		return g.Op("Unsqueeze", names.GuardPosition+op+"/Unsqueeze", []*graph.Value{v, first})
	}
	last := e.ints("last_position", int64(e.opts.MaxLength)-1)
	return e.guard(g.Op("Sub", names.GuardRoom, []*graph.Value{last, bound("ReduceMax")}), bound("ReduceMin"))
}

// guardTotal guards total <= MaxLength.
func (e *emitter) guardTotal() *graph.Value {
	limit := e.ints("max_length", int64(e.opts.MaxLength))
	return e.guard(e.g.Op("Sub", names.GuardRoom, []*graph.Value{limit, e.total()}))
}

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
	if c := e.consts[name]; c != nil {
		return c
	}
	c := e.g.Ints(name, v...)
	e.consts[name] = c
	return c
}

// int64Scalar is a constant int64 scalar, made once for each name.
func (e *emitter) int64Scalar(name string, v int64) *graph.Value {
	name = "/const/" + name
	if c := e.consts[name]; c != nil {
		return c
	}
	c := e.g.Int(name, v)
	e.consts[name] = c
	return c
}
