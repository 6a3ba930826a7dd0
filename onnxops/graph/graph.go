package graph

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// Microsoft is the domain of ONNX Runtime's own operators.
const Microsoft = "com.microsoft"

// Graph is a graph under construction. The zero value is not usable; see [New].
type Graph struct {
	name         string
	inputs       []*Value
	outputs      []*Value
	initializers []*onnxpb.TensorProto
	nodes        []*onnxpb.NodeProto
	interm       []*Value // node outputs, in order
	values       map[string]*Value
	nodeNames    map[string]bool
	sums         map[[2]Dim]Dim
	custom       map[string]*Function
	functions    []*Function // those used, in order of first use
	opsets       map[string]int64
	lowerings    map[string]*Lowering
	shared       map[string]*Value // constants of what is written out
	spared       map[string]bool   // inputs that a node was spelled without
	uncast       map[string]*Value // what a Cast was given, by its output
	within       string            // the node whose body it is; "" is the model's graph
	computes     DType             // see Compute; 0 is Float, with no cast anywhere
	scope        DType             // what nodes added now take; 0: what they are given
	err          error
}

// New returns an empty graph that imports opset of ai.onnx and may use the
// operators of functions.
func New(name string, opset int, functions ...*Function) *Graph {
	g := &Graph{
		name:      name,
		values:    map[string]*Value{},
		uncast:    map[string]*Value{},
		nodeNames: map[string]bool{},
		sums:      map[[2]Dim]Dim{},
		custom:    map[string]*Function{},
		opsets:    map[string]int64{"": int64(opset)},
		lowerings: map[string]*Lowering{},
		shared:    map[string]*Value{},
		spared:    map[string]bool{},
	}
	for _, f := range functions {
		g.custom[f.Schema.Domain+"."+f.Schema.Op] = f
	}
	return g
}

// Err returns the first error, if there was one.
func (g *Graph) Err() error { return g.err }

// Fail records an error of the caller's; the first one sticks.
func (g *Graph) Fail(err error) {
	if g.err == nil && err != nil {
		g.err = err
	}
}

// DefineSum tells shape inference that a + b is called total.
func (g *Graph) DefineSum(total, a, b Dim) {
	g.sums[[2]Dim{a, b}], g.sums[[2]Dim{b, a}] = total, total
}

func (g *Graph) sum(a, b Dim) Dim {
	switch {
	case a.IsFixed() && b.IsFixed():
		return Dim{N: a.N + b.N}
	case a.IsFixed() && a.N == 0:
		return b
	case b.IsFixed() && b.N == 0:
		return a
	}
	if d, ok := g.sums[[2]Dim{a, b}]; ok {
		return d
	}
	return Sym(a.String() + "+" + b.String())
}

// add registers a value; the name must be new.
func (g *Graph) add(name string, t Type) *Value {
	v := &Value{name: name, typ: t}
	if name == "" {
		g.Fail(fmt.Errorf("graph: %s: a value without a name", g.name))
	} else if g.values[name] != nil {
		g.Fail(fmt.Errorf("graph: %s: two values are called %q", g.name, name))
	}
	g.values[name] = v
	return v
}

// Input declares an input of the graph.
func (g *Graph) Input(name string, t DType, s Shape) *Value {
	v := g.add(name, Type{DType: t, Shape: s})
	g.inputs = append(g.inputs, v)
	return v
}

// Output declares v, which must be the output of a node, to be an output of the
// graph. The value's name is the output's name, so a node whose result leaves
// the graph is told that name when it is added.
func (g *Graph) Output(v *Value) {
	for _, o := range g.outputs {
		if o == v {
			g.Fail(fmt.Errorf("graph: %s: %q is an output twice", g.name, v.name))
		}
	}
	g.outputs = append(g.outputs, v)
}

// Tensor adds an initializer with inline little-endian data.
func (g *Graph) Tensor(name string, t DType, dims []int64, raw []byte) *Value {
	g.initializers = append(g.initializers, &onnxpb.TensorProto{
		Name: name, DataType: int32(t), Dims: dims, RawData: raw,
	})
	return g.add(name, Type{DType: t, Shape: fixedShape(dims)})
}

// External adds an initializer whose data lies in the file location (a plain
// file name, in the model's folder), length bytes from offset on.
func (g *Graph) External(name string, t DType, dims []int64, location string, offset, length int64) *Value {
	g.initializers = append(g.initializers, &onnxpb.TensorProto{
		Name: name, DataType: int32(t), Dims: dims,
		DataLocation: onnxpb.TensorProto_EXTERNAL,
		ExternalData: []*onnxpb.StringStringEntryProto{
			{Key: "location", Value: location},
			{Key: "offset", Value: fmt.Sprint(offset)},
			{Key: "length", Value: fmt.Sprint(length)},
		},
	})
	return g.add(name, Type{DType: t, Shape: fixedShape(dims)})
}

// View adds an initializer of the bytes of another, of whatever type and shape they are
// in its place.
func (g *Graph) View(name string, of *Value, t DType, dims []int64) *Value {
	for _, i := range g.initializers {
		if i.GetName() == of.Name() {
			g.initializers = append(g.initializers, &onnxpb.TensorProto{
				Name: name, DataType: int32(t), Dims: dims, RawData: i.GetRawData(), DataLocation: i.GetDataLocation(), ExternalData: i.GetExternalData(),
			})
			return g.add(name, Type{DType: t, Shape: fixedShape(dims)})
		}
	}
	g.Fail(fmt.Errorf("onnx: %q is no initializer: a view of it has no bytes", of.Name()))
	return &Value{}
}

// Ints adds a constant vector of int64.
func (g *Graph) Ints(name string, v ...int64) *Value {
	raw := make([]byte, 0, 8*len(v))
	elems := make([]Dim, len(v))
	for i, x := range v {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(x))
		elems[i] = Dim{N: x}
	}
	val := g.Tensor(name, Int64, []int64{int64(len(v))}, raw)
	val.typ.Elems = elems
	return val
}

// Int adds a constant int64 scalar.
func (g *Graph) Int(name string, v int64) *Value {
	val := g.Tensor(name, Int64, []int64{}, binary.LittleEndian.AppendUint64(nil, uint64(v)))
	val.typ.Elems = []Dim{{N: v}}
	return val
}

// Scalar adds a constant float32 scalar.
func (g *Graph) Scalar(name string, v float64) *Value {
	raw := binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(v)))
	return g.Tensor(name, Float, []int64{}, raw)
}

// Lookup returns the value called name, or nil.
func (g *Graph) Lookup(name string) *Value { return g.values[name] }

// int64Dims are the elements of little-endian int64 data.
func int64Dims(raw []byte) []Dim {
	elems := make([]Dim, len(raw)/8)
	for i := range elems {
		elems[i] = Dim{N: int64(binary.LittleEndian.Uint64(raw[8*i:]))}
	}
	return elems
}

func fixedShape(dims []int64) Shape {
	s := make(Shape, len(dims))
	for i, d := range dims {
		s[i] = Dim{N: d}
	}
	return s
}

// Assume tells shape inference the elements of a small integer tensor that it
// cannot follow. The caller answers for them: the run must fail where they
// turn out otherwise.
func (g *Graph) Assume(v *Value, elems ...Dim) { v.typ.Elems = elems }
