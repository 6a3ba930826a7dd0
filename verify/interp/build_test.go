package interp

import (
	"testing"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// graphBuilder writes small graphs for the tests.
type graphBuilder struct {
	g         *onnxpb.GraphProto
	functions []*onnxpb.FunctionProto
	domains   []string
}

func newGraph() *graphBuilder { return &graphBuilder{g: &onnxpb.GraphProto{Name: "test"}} }

func (b *graphBuilder) model() *onnxpb.ModelProto {
	m := &onnxpb.ModelProto{
		IrVersion:   10,
		Graph:       b.g,
		Functions:   b.functions,
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Domain: "", Version: 23}},
	}
	for _, d := range b.domains {
		m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: d, Version: 1})
	}
	return m
}

// node appends a node named after its first output, which it returns.
func (b *graphBuilder) node(op string, in []string, out string, attrs ...*onnxpb.AttributeProto) string {
	b.g.Node = append(b.g.Node, node(op, in, []string{out}, attrs...))
	return out
}

func node(op string, in, out []string, attrs ...*onnxpb.AttributeProto) *onnxpb.NodeProto {
	return &onnxpb.NodeProto{OpType: op, Name: "/" + out[0], Input: in, Output: out, Attribute: attrs}
}

// input declares an input; dims are names, or fixed lengths as int64.
func (b *graphBuilder) input(name string, t onnxpb.TensorProto_DataType, dims ...any) {
	b.g.Input = append(b.g.Input, valueInfo(name, t, dims...))
}

func (b *graphBuilder) output(names ...string) {
	for _, n := range names {
		b.g.Output = append(b.g.Output, &onnxpb.ValueInfoProto{Name: n})
	}
}

func valueInfo(name string, t onnxpb.TensorProto_DataType, dims ...any) *onnxpb.ValueInfoProto {
	shape := &onnxpb.TensorShapeProto{}
	for _, d := range dims {
		dim := &onnxpb.TensorShapeProto_Dimension{}
		switch d := d.(type) {
		case string:
			dim.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: d}
		case int:
			dim.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(d)}
		}
		shape.Dim = append(shape.Dim, dim)
	}
	return &onnxpb.ValueInfoProto{Name: name, Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{
		TensorType: &onnxpb.TypeProto_Tensor{ElemType: int32(t), Shape: shape}}}}
}

func intAttr(name string, v int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: name, Type: onnxpb.AttributeProto_INT, I: v}
}

func intsAttr(name string, v ...int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: name, Type: onnxpb.AttributeProto_INTS, Ints: v}
}

func refAttr(name, ref string, t onnxpb.AttributeProto_AttributeType) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: name, RefAttrName: ref, Type: t}
}

func floatTensor(name string, data []float32, dims ...int64) *onnxpb.TensorProto {
	return &onnxpb.TensorProto{Name: name, DataType: int32(onnxpb.TensorProto_FLOAT), Dims: dims, FloatData: data}
}

func int64Tensor(name string, data ...int64) *onnxpb.TensorProto {
	return &onnxpb.TensorProto{Name: name, DataType: int32(onnxpb.TensorProto_INT64), Dims: []int64{int64(len(data))}, Int64Data: data}
}

func mustLoad(t *testing.T, m *onnxpb.ModelProto) *Program {
	t.Helper()
	p, err := Load(m, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}
