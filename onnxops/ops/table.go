package ops

import (
	"github.com/pecvt/pecvt/onnxops/graph"
)

// Domain is the domain of all operators here, and Version its version.
const (
	Domain  = "ai.pecvt"
	Version = 1
	// Opset is the version of ai.onnx that function bodies are written in.
	Opset = 23
)

// Op documents and defines one operator.
type Op struct {
	Name    string
	Since   int    // the version of the domain that brought it
	Summary string // the formula, in one paragraph
	Inputs  []Param
	Outputs []Param
	Attrs   []Param
	Func    *graph.Function
}

// Param is an input, an output or an attribute.
type Param struct {
	Name  string
	Type  string // element types, or "int"
	Shape string // "" for attributes
	Doc   string
}

var table = []Op{
	contextPhase,
	logBias,
	pathAttention,
	pathBias,
	pathIntegralAttention,
	pathIntegralBias,
	powerBias,
	relativeAttention,
	relativeBias,
	rotation,
}

// Table lists every operator, in the order of their names.
func Table() []Op { return append([]Op(nil), table...) }

// Functions lists the definitions for [graph.New].
func Functions() []*graph.Function {
	out := make([]*graph.Function, len(table))
	for i := range table {
		out[i] = table[i].Func
	}
	return out
}
