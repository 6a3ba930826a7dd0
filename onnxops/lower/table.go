package lower

import (
	"slices"

	"github.com/pecvt/pecvt/onnxops/graph"
)

// The operator sets of ai.onnx that graphs can be written in. Below the oldest,
// LayerNormalization is missing.
const (
	Oldest  = 17
	Current = 23
)

// table is one row per operator: since when it stands as it is, and what stands
// for it before.
var table = []graph.Lowering{
	{Op: "Attention", Since: 23, Expand: attention},
	{Op: "Gelu", Since: 20, Expand: gelu},
	{Op: "RMSNormalization", Since: 23, Expand: rmsNorm},
	{Op: "ReduceMax", Since: 18, Expand: axesAsAttribute},
	{Op: "ReduceMean", Since: 18, Expand: axesAsAttribute},
	{Op: "ReduceMin", Since: 18, Expand: axesAsAttribute},
	{Op: "RotaryEmbedding", Since: 23, Expand: rotary},
}

// Table lists the operators that are written out, in the order of their names.
func Table() []graph.Lowering { return append([]graph.Lowering(nil), table...) }

// Always is the lowering of an operator in every operator set: for a form of it
// that kernels compute otherwise.
func Always(op string) graph.Lowering {
	l := table[slices.IndexFunc(table, func(l graph.Lowering) bool { return l.Op == op })]
	l.Since = 0
	return l
}
