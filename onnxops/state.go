package onnxops

import (
	"encoding/binary"
	"math"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
)

// state declares what layer i carries from call to call besides keys and
// values: the input past_state.N.name, (batch, dims...), zeros at the start, and
// the name of the output present_state.N.name.
func (e *emitter) state(i int, name string, dims ...int) (past *graph.Value, present string) {
	shape := graph.Of(names.BatchSize)
	for _, d := range dims {
		shape = append(shape, graph.Fixed(d))
	}
	past = e.g.Input(names.PastState(i, name), e.g.Takes(), shape)
	return past, names.PresentState(i, name)
}

// grown joins v (batch, heads, sequence, width) to what layer i's earlier calls
// left under the name: (batch, heads, total, width).
func (e *emitter) grown(l *layer, name string, v *graph.Value) *graph.Value {
	if e.g.Err() != nil {
		return v
	}
	s := v.Shape()
	past := e.g.Input(names.Past(l.i, name), v.DType(), graph.Shape{s[0], s[1], graph.Sym(names.PastLength), s[3]})
	out := e.g.Add(graph.Node{
		Op: "Concat", Name: l.prefix + "/bias/" + name + "/Concat", In: []*graph.Value{past, v},
		Out: []string{names.Present(l.i, name)}, Attrs: []graph.Attr{graph.IntAttr("axis", 2)},
	})
	e.presents = append(e.presents, out[0])
	return out[0]
}

// gateLogits is W x + b per head of the layer's input: (batch, heads, sequence).
func (e *emitter) gateLogits(l *layer, name string, w family.Linear, heads int) *graph.Value {
	prefix := l.prefix + "/" + name
	v := e.linear(prefix+"_gate", l.x, w)
	v = e.g.Op("Reshape", prefix+"_gate/Reshape", []*graph.Value{v, e.shape(names.FlatShape(heads), int64(heads))})
	return e.g.Op("Transpose", prefix+"_gate/Transpose", []*graph.Value{v}, graph.IntsAttr("perm", 0, 2, 1))
}

// real is 1 for this call's tokens and 0 for its padding, (batch, 1, sequence).
func (e *emitter) real() *graph.Value {
	return e.once("/real", func() *graph.Value {
		v := e.g.Op("Cast", "/real/Cast", []*graph.Value{e.realNow()}, graph.IntAttr("to", int(graph.Float)))
		return e.g.Op("Unsqueeze", "/real/Unsqueeze", []*graph.Value{v, e.ints("axis1", 1)})
	})
}

// realNow is attention_mask at this call's tokens, (batch, sequence).
func (e *emitter) realNow() *graph.Value {
	return e.once("/real/now", func() *graph.Value {
		return e.g.Op("Gather", "/real/Gather", []*graph.Value{e.mask, e.call().index}, graph.IntAttr("axis", 1))
	})
}

// sequenceVec is the vector [sequence].
func (e *emitter) sequenceVec() *graph.Value {
	return e.call().length
}

// once makes a value on first use and keeps it.
func (e *emitter) once(key string, make func() *graph.Value) *graph.Value {
	if v := e.consts[key]; v != nil {
		return v
	}
	v := make()
	e.consts[key] = v
	return v
}

// floats is a constant float32 tensor, made once for each name.
func (e *emitter) floats(name string, dims []int64, v []float64) *graph.Value {
	name = "/const/" + name
	return e.constant(name, v, func() *graph.Value {
		return e.g.Tensor(name, graph.Float, dims, floatBytes(v))
	})
}

func floatBytes(v []float64) []byte {
	raw := make([]byte, 0, 4*len(v))
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(x)))
	}
	return raw
}

func doubleBytes(v []float64) []byte {
	raw := make([]byte, 0, 8*len(v))
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(x))
	}
	return raw
}
