package ops

import (
	"encoding/binary"
	"math"

	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// node is one step of a function body; it is named after its first output.
func node(op string, in, out []string, attrs ...graph.Attr) *onnxpb.NodeProto {
	return &onnxpb.NodeProto{Name: op + "_" + out[0], OpType: op, Input: in, Output: out, Attribute: attrs}
}

// step is node for one output.
func step(out, op string, in []string, attrs ...graph.Attr) *onnxpb.NodeProto {
	return node(op, in, []string{out}, attrs...)
}

// constInts is a constant vector of int64.
func constInts(out string, v ...int64) *onnxpb.NodeProto {
	t := &onnxpb.TensorProto{DataType: int32(graph.Int64), Dims: []int64{int64(len(v))}}
	for _, x := range v {
		t.RawData = binary.LittleEndian.AppendUint64(t.RawData, uint64(x))
	}
	return step(out, "Constant", nil, graph.TensorAttr("value", t))
}

// constInt is a constant int64 scalar.
func constInt(out string, v int64) *onnxpb.NodeProto {
	n := constInts(out, v)
	n.Attribute[0].T.Dims = []int64{}
	return n
}

// constFloat is a constant float32 scalar.
func constFloat(out string, v float32) *onnxpb.NodeProto {
	raw := binary.LittleEndian.AppendUint32(nil, math.Float32bits(v))
	t := &onnxpb.TensorProto{DataType: int32(graph.Float), Dims: []int64{}, RawData: raw}
	return step(out, "Constant", nil, graph.TensorAttr("value", t))
}

func castTo(out, in string, t graph.DType) *onnxpb.NodeProto {
	return step(out, "Cast", []string{in}, graph.IntAttr("to", int(t)))
}

// runningSum are the steps that continue a sum in float64: from past, the sum
// so far as two float32 whose sum it is (…, 2), and the terms as float32 along
// axis 2, to sums (float64) and present, the sum after the last term as two
// float32 again. exclusive sums leave their own term out.
func runningSum(terms, past, sums, present string, exclusive bool) []*onnxpb.NodeProto {
	flag := 0
	if exclusive {
		flag = 1
	}
	return []*onnxpb.NodeProto{
		constInt("axis", 2),
		constInts("last", 2),
		castTo("wide", terms, graph.Double),
		castTo("past_wide", past, graph.Double),
		step("start", "ReduceSum", []string{"past_wide", "last"}, graph.IntAttr("keepdims", 1)),
		step("running", "CumSum", []string{"wide", "axis"}, graph.IntAttr("exclusive", flag)),
		step(sums, "Add", []string{"running", "start"}),
		step("all", "ReduceSum", []string{"wide", "last"}, graph.IntAttr("keepdims", 1)),
		step("end", "Add", []string{"start", "all"}),
		castTo("end_high", "end", graph.Float),
		castTo("end_high_wide", "end_high", graph.Double),
		step("end_rest", "Sub", []string{"end", "end_high_wide"}),
		castTo("end_low", "end_rest", graph.Float),
		step(present, "Concat", []string{"end_high", "end_low"}, graph.IntAttr("axis", 2)),
	}
}

// define makes the function of an operator of this domain from its documented
// inputs and outputs.
func define(op *Op, doc string, infer func(*graph.Call) ([]graph.Type, error), body ...*onnxpb.NodeProto) {
	names := func(ps []Param) (list []string) {
		for _, p := range ps {
			list = append(list, p.Name)
		}
		return list
	}
	op.Func = &graph.Function{
		Version: Version,
		Schema:  graph.Schema{Domain: Domain, Op: op.Name, MinIn: len(op.Inputs), MaxIn: len(op.Inputs), Infer: infer},
		Proto: &onnxpb.FunctionProto{
			Name: op.Name, Domain: Domain, Input: names(op.Inputs), Output: names(op.Outputs), Attribute: names(op.Attrs),
			OpsetImport: []*onnxpb.OperatorSetIdProto{{Domain: "", Version: Opset}},
			Node:        body, DocString: doc,
		},
	}
}
