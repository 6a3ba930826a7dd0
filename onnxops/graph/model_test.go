package graph

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

func twoNodes(t *testing.T) *onnxpb.ModelProto {
	t.Helper()
	g := New("small", 23)
	x := g.Input("x", Float, Of("rows", 4))
	w := g.External("w", Float, []int64{3, 4}, "weights.bin", 128, 48)
	y := g.Op("Gemm", "gemm", []*Value{x, w, nil}, IntAttr("transB", 1))
	g.Output(g.Add(Node{Op: "Neg", Name: "neg", In: []*Value{y}, Out: []string{"z"}})[0])
	m, err := g.Model(Meta{Producer: "pecvt", Version: "1", Props: [][2]string{{"b", "1"}, {"a", "2"}}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestModel(t *testing.T) {
	m := twoNodes(t)
	a, err := Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Marshal(twoNodes(t))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Error("the same calls gave other bytes")
	}
	var back onnxpb.ModelProto
	if err := proto.Unmarshal(a, &back); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(&back, m) {
		t.Error("the model does not survive a read")
	}
	g := back.GetGraph()
	if back.GetIrVersion() != 11 || len(back.GetOpsetImport()) != 1 || back.GetOpsetImport()[0].GetVersion() != 23 {
		t.Errorf("ir version %d, opsets %v", back.GetIrVersion(), back.GetOpsetImport())
	}
	if in := g.GetNode()[0].GetInput(); len(in) != 2 {
		t.Errorf("an optional input at the end is written: %q", in)
	}
	ext := g.GetInitializer()[0].GetExternalData()
	if len(ext) != 3 || ext[1].GetKey() != "offset" || ext[1].GetValue() != "128" || ext[2].GetValue() != "48" {
		t.Errorf("external data %v", ext)
	}
	if n := g.GetValueInfo(); len(n) != 1 || n[0].GetName() != "gemm_output_0" {
		t.Errorf("value_info %v, expected that of gemm_output_0 alone", n)
	}
	dims := g.GetOutput()[0].GetType().GetTensorType().GetShape().GetDim()
	if dims[0].GetDimParam() != "rows" || dims[1].GetDimValue() != 3 {
		t.Errorf("output dimensions %v", dims)
	}
	if p := back.GetMetadataProps(); len(p) != 2 || p[0].GetKey() != "b" || p[1].GetKey() != "a" {
		t.Errorf("metadata %v", p)
	}
}

// TestErrorSticks: the first error is the one that Model returns, and what
// follows it does nothing.
func TestErrorSticks(t *testing.T) {
	g := New("bad", 23)
	x := g.Input("x", Float, Of(4))
	y := g.Op("And", "first", []*Value{x, x})
	z := g.Op("Add", "second", []*Value{y, x})
	g.Output(z)
	_, err := g.Model(Meta{})
	if err == nil || err.Error() != `graph: node "first" (And): input 0 (x) is FLOAT, expected [BOOL]` {
		t.Errorf("error %v", err)
	}
	if _, err := New("empty", 23).Model(Meta{}); err == nil {
		t.Error("a graph without outputs is no error")
	}
}
