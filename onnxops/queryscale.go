package onnxops

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
)

// queryScale are the factors of this call's queries: (batch, 1, sequence, 1), or
// (batch, sequence, 1) with AttentionORT, whose operator turns them later. Their table
// has as many rows as those of the rotation, computed in float64 and rounded once.
func (e *emitter) queryScale(s family.QueryScale) *graph.Value {
	key := fmt.Sprint(names.QueryScale, s)
	if v := e.consts[key]; v != nil {
		return v
	}
	defer e.g.Wide()()
	path := names.Nth(names.QueryScale, e.named[names.QueryScale])
	e.named[names.QueryScale]++
	raw := make([]byte, 4*e.opts.MaxLength)
	for t := range e.opts.MaxLength {
		binary.LittleEndian.PutUint32(raw[4*t:], math.Float32bits(float32(s.At(int64(t)))))
	}
	table := e.g.Tensor(path+"/table", graph.Float, []int64{int64(e.opts.MaxLength)}, raw)
	axes, at := e.ints("axes13", 1, 3), e.positions
	if e.opts.Attention == AttentionORT {
		axes, at = e.ints("axis2", 2), e.countedPositions()
	}
	v := e.g.Op("Gather", path+"/Gather", []*graph.Value{table, at})
	v = e.g.Op("Unsqueeze", path+"/Unsqueeze", []*graph.Value{v, axes})
	e.consts[key] = v
	return v
}

// countedPositions are the positions that GroupQueryAttention turns by, (batch,
// sequence): it counts a row's tokens in attention_mask, takes the last of this call
// for the end, and a call without a past for the beginning. Positions outside the
// tables are brought inside; guardTotal tells.
func (e *emitter) countedPositions() *graph.Value {
	return e.once("/positions", func() *graph.Value {
		g, base := e.g, e.maskBase()
		first := g.Op("Sub", "/positions/first/Sub", []*graph.Value{e.rowTotal, base.length})
		first = g.Op("Max", "/positions/first/Max", []*graph.Value{first, e.int64Scalar("0", 0)})
		first = g.Op("Unsqueeze", "/positions/first/Unsqueeze", []*graph.Value{first, e.ints("axis1", 1)})
		return e.insideTables("/positions/Clip", g.Op("Add", "/positions/Add", []*graph.Value{first, base.step}))
	})
}
