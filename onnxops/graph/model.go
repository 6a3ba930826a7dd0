package graph

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// irVersion is the version of the ONNX format that came with an operator set of
// ai.onnx: readers of the one take the other.
func irVersion(opset int64) int64 {
	switch {
	case opset >= 23:
		return 11
	case opset >= 21:
		return 10
	case opset >= 19:
		return 9
	}
	return 8
}

// Meta is what a model says about itself.
type Meta struct {
	Producer, Version string
	Props             [][2]string // metadata_props, in the order given
}

// Model returns the finished model, or the first error of its construction.
// Inputs, outputs and every intermediate value carry their shapes. An intermediate
// dimension that DefineSum named is left open: tract adds by itself, and a + b is
// then another symbol than the sum's name.
func (g *Graph) Model(meta Meta) (*onnxpb.ModelProto, error) {
	if g.err != nil {
		return nil, g.err
	}
	if len(g.outputs) == 0 {
		return nil, fmt.Errorf("graph: %s: no outputs", g.name)
	}
	pb := g.proto()
	m := &onnxpb.ModelProto{
		IrVersion: irVersion(g.opsets[""]), ProducerName: meta.Producer, ProducerVersion: meta.Version, Graph: pb,
	}
	domains := []string{}
	for d := range g.opsets {
		domains = append(domains, d)
	}
	slices.Sort(domains)
	for _, d := range domains {
		m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: d, Version: g.opsets[d]})
	}
	for _, f := range g.functions {
		m.Functions = append(m.Functions, f.Proto)
	}
	for _, p := range meta.Props {
		m.MetadataProps = append(m.MetadataProps, &onnxpb.StringStringEntryProto{Key: p[0], Value: p[1]})
	}
	return m, nil
}

// proto is the graph as its file holds it.
func (g *Graph) proto() *onnxpb.GraphProto {
	pb := &onnxpb.GraphProto{Name: g.name, Node: g.nodes, Initializer: g.needed()}
	for _, v := range g.inputs {
		pb.Input = append(pb.Input, v.info(nil))
	}
	for _, v := range g.outputs {
		pb.Output = append(pb.Output, v.info(nil))
	}
	totals := g.totals()
	for _, v := range g.interm {
		if !slices.Contains(g.outputs, v) {
			pb.ValueInfo = append(pb.ValueInfo, v.info(totals))
		}
	}
	return pb
}

// Marshal returns the model's bytes; the same model gives the same bytes.
func Marshal(m *onnxpb.ModelProto) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

// totals are the dimensions that DefineSum named.
func (g *Graph) totals() map[Dim]bool {
	totals := make(map[Dim]bool, len(g.sums))
	for _, d := range g.sums {
		totals[d] = true
	}
	return totals
}

// info is the value's type, of its dimensions all but open ones.
func (v *Value) info(open map[Dim]bool) *onnxpb.ValueInfoProto {
	shape := &onnxpb.TensorShapeProto{}
	for _, d := range v.typ.Shape {
		dim := &onnxpb.TensorShapeProto_Dimension{}
		switch {
		case open[d]:
		case d.IsFixed():
			dim.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: d.N}
		default:
			dim.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: d.Name}
		}
		shape.Dim = append(shape.Dim, dim)
	}
	return &onnxpb.ValueInfoProto{Name: v.name, Type: &onnxpb.TypeProto{
		Value: &onnxpb.TypeProto_TensorType{TensorType: &onnxpb.TypeProto_Tensor{
			ElemType: int32(v.typ.DType), Shape: shape,
		}},
	}}
}
