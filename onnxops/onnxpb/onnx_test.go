package onnxpb

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// TestOracle reads a model written by the onnx package: every field arrives
// where it belongs, and none as an unknown field.
func TestOracle(t *testing.T) {
	data, err := os.ReadFile("testdata/oracle.onnx")
	if err != nil {
		t.Fatal(err)
	}
	var m ModelProto
	if err := proto.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	g := m.GetGraph()
	node, f, w := g.GetNode()[0], m.GetFunctions()[0], g.GetInitializer()[0]
	attrs := map[string]*AttributeProto{}
	for _, a := range node.GetAttribute() {
		attrs[a.GetName()] = a
	}
	var ext []string
	for _, e := range w.GetExternalData() {
		ext = append(ext, e.GetKey()+"="+e.GetValue())
	}
	xType := g.GetInput()[0].GetType().GetTensorType()
	tests := []struct{ what, got, want string }{
		{"ir version", words(m.GetIrVersion()), "11"},
		{"producer", m.GetProducerName() + " " + m.GetProducerVersion(), "oracle 9"},
		{"opsets", words(m.GetOpsetImport()[1].GetDomain(), m.GetOpsetImport()[1].GetVersion(), m.GetOpsetImport()[0].GetVersion()), "ai.pecvt 1 23"},
		{"metadata", m.GetMetadataProps()[0].GetKey() + "=" + m.GetMetadataProps()[0].GetValue(), "pecvt.version=0"},
		{"graph", g.GetName(), "g"},
		{"node", strings.Join([]string{node.GetName(), node.GetDomain(), node.GetOpType()}, " "), "turn ai.pecvt Turn"},
		{"node's values", fmt.Sprintf("%q %q", node.GetInput(), node.GetOutput()), `["x" ""] ["y"]`},
		{"int", words(attrs["left"].GetType(), attrs["left"].GetI()), "INT 7"},
		{"float", words(attrs["speed"].GetType(), attrs["speed"].GetF()), "FLOAT 1.5"},
		{"string", words(attrs["text"].GetType(), string(attrs["text"].GetS())), "STRING abc"},
		{"ints", words(attrs["ints"].GetType(), attrs["ints"].GetInts()), "INTS [1 -2]"},
		{"floats", words(attrs["floats"].GetType(), attrs["floats"].GetFloats()), "FLOATS [0.5 4]"},
		{"strings", fmt.Sprintf("%s %s", attrs["strings"].GetType(), attrs["strings"].GetStrings()), "STRINGS [p q]"},
		{"tensor", words(attrs["t"].GetType(), attrs["t"].GetT().GetDims(), attrs["t"].GetT().GetInt64Data()), "TENSOR [2] [5 -6]"},
		{"initializer", words(w.GetName(), w.GetDims(), TensorProto_DataType(w.GetDataType()), w.GetDataLocation()), "w [3 4] BFLOAT16 EXTERNAL"},
		{"external data", strings.Join(ext, " "), "location=model.safetensors offset=1234 length=24"},
		{"input type", words(TensorProto_DataType(xType.GetElemType()), xType.GetShape().GetDim()[0].GetDimParam(), xType.GetShape().GetDim()[1].GetDimValue()), "FLOAT batch 4"},
		{"value_info", words(g.GetValueInfo()[0].GetName(), TensorProto_DataType(g.GetValueInfo()[0].GetType().GetTensorType().GetElemType())), "z DOUBLE"},
		{"output", g.GetOutput()[0].GetName(), "y"},
		{"function", words(f.GetDomain(), f.GetName(), f.GetInput(), f.GetOutput(), f.GetAttribute()), "ai.pecvt Turn [X] [Y] [left]"},
		{"function's default", words(f.GetAttributeProto()[0].GetName(), f.GetAttributeProto()[0].GetF()), "speed 2.5"},
		{"function's opset", words(f.GetOpsetImport()[0].GetVersion()), "23"},
		{"reference", words(f.GetNode()[0].GetAttribute()[0].GetName(), f.GetNode()[0].GetAttribute()[0].GetRefAttrName()), "k left"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s: %q, expected %q", tt.what, tt.got, tt.want)
		}
	}
	unknown(t, m.ProtoReflect())
}

// words joins values by spaces.
func words(v ...any) string { return strings.TrimSpace(fmt.Sprintln(v...)) }

// unknown fails for every field that the schema does not name.
func unknown(t *testing.T, m protoreflect.Message) {
	t.Helper()
	if n := len(m.GetUnknown()); n > 0 {
		t.Errorf("%s: %d bytes of unknown fields", m.Descriptor().FullName(), n)
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.Message() == nil:
		case fd.IsList():
			for i := range v.List().Len() {
				unknown(t, v.List().Get(i).Message())
			}
		default:
			unknown(t, v.Message())
		}
		return true
	})
}
