package verify_test

import (
	"context"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify"
)

// A reference without an answer costs the figures, and never the report.
func TestFiguresWithoutAnAnswer(t *testing.T) {
	dir := hopeLlama.write(t)
	path := filepath.Join(dir, "model.safetensors")
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	info, _ := f.Lookup("model.layers.1.mlp.up_proj.weight")
	at := f.DataStart() + info.Begin + 400
	f.Close()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint32(raw[at:], math.Float32bits(float32(math.NaN())))
	if err := os.WriteFile(path, raw, 0o666); err != nil {
		t.Fatal(err)
	}
	r := verified(t, dir, verify.Options{Curves: true, Bisect: true})
	if c, _ := find(r, "weights", "ref"); r.Verdict != verify.Fail || c.Verdict != verify.Fail {
		t.Errorf("%s, weights %s", r.Verdict, c.Verdict)
	}
	if r.Curves == nil || len(r.Curves.Spectrum) == 0 || len(r.Curves.ByLayer) > 0 {
		t.Errorf("figures %+v", r.Curves)
	}
	for _, c := range r.Checks {
		if c.Name == "placement" {
			t.Errorf("placement of a graph that never ran: %s", c.Detail)
		}
	}
}

// A value between that the graph does not declare, and that only the runtime
// gets wrong, is looked into like any other.
func TestBisectUndeclaredValues(t *testing.T) {
	if !runtimePresent(t) {
		t.Skip("no ONNX Runtime on this machine")
	}
	dir := hopeLlama.write(t)
	const norm = "/layers.1/mlp_norm/RMSNormalization"
	graphFault(func(t *testing.T, g *graphOf) {
		n := g.node(t, norm)
		cast := func(name, in string, to onnxpb.TensorProto_DataType) *onnxpb.NodeProto {
			return &onnxpb.NodeProto{OpType: "Cast", Name: name, Input: []string{in}, Output: []string{name + "_output_0"}, Attribute: []*onnxpb.AttributeProto{textAttribute("to", int64(to))}}
		}
		narrow := cast("/fault/narrow", n.Input[0], onnxpb.TensorProto_FLOAT16)
		wide := cast("/fault/wide", narrow.Output[0], onnxpb.TensorProto_FLOAT)
		n.Input[0] = wide.Output[0]
		at := slices.Index(g.model.Graph.Node, n)
		g.model.Graph.Node = slices.Insert(g.model.Graph.Node, at, narrow, wide)
	})(t, dir)
	r, err := verify.Verify(context.Background(), dir, verify.Options{Bisect: true, Provider: "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	if c, _ := find(r, "prefill", "interp"); r.Verdict != verify.Fail || c.Verdict != verify.Pass {
		t.Fatalf("%s, the interpreter's prefill %s: want a fault of the runtime alone", r.Verdict, c.Verdict)
	}
	if n := r.Bisect.Node; n == nil || n.Name != "/fault/narrow" {
		t.Errorf("%+v", r.Bisect)
	}
}

// What cannot be told is said in the report, and is no pass.
func TestPlacementWithoutAProfile(t *testing.T) {
	if !runtimePresent(t) {
		t.Skip("no ONNX Runtime on this machine")
	}
	dir := hopeLlama.write(t)
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	r, err := verify.Verify(context.Background(), dir, verify.Options{Provider: "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	c, ok := find(r, "placement", "ort-cpu")
	if !ok || c.Verdict != verify.Incomplete || r.Verdict != verify.Incomplete || !strings.Contains(c.Detail, "no folder") {
		t.Errorf("%s; placement: %s %s", r.Verdict, c.Verdict, c.Detail)
	}
	told := 0
	for _, w := range r.Warnings {
		if strings.Contains(w, "which provider") {
			told++
		}
	}
	if told != 1 {
		t.Errorf("told %d times: %q", told, r.Warnings)
	}
}

// The parts of a fused weight are good each by itself; where they are joined in
// another order, that is what is wrong.
func TestBisectOrderOfFusedParts(t *testing.T) {
	dir := conversion{model: "golden/llama-gqa", to: "rope", attention: "ort"}.write(t)
	graphFault(func(t *testing.T, g *graphOf) {
		in := g.node(t, "/layers.1/attn/qkv_proj/weight/Concat").Input
		in[1], in[2] = in[2], in[1]
	})(t, dir)
	r, err := verify.Verify(context.Background(), dir, verify.Options{Bisect: true, ORTLibrary: noLibrary})
	if err != nil {
		t.Fatal(err)
	}
	if n := r.Bisect.Node; n == nil || n.Name != "/layers.1/attn/qkv_proj/Gemm" || !strings.Contains(r.Bisect.Advice, "k_proj.weight of the fused weight is joined in the wrong place") {
		t.Errorf("%+v", r.Bisect)
	}
}

// A repro of a value whose shape is wrong has the right one, and fails; one with
// nothing to compare is refused.
func TestReproOfAShape(t *testing.T) {
	dir := hopeLlama.write(t)
	graphFault(func(t *testing.T, g *graphOf) {
		in := g.node(t, "/mask/self/Or").Input
		in[0] = "/mask/causal/LessOrEqual_output_0"
	})(t, dir)
	repro := filepath.Join(t.TempDir(), "repro")
	r, err := verify.Verify(context.Background(), dir, verify.Options{Extract: repro, ORTLibrary: noLibrary})
	if err != nil {
		t.Fatal(err)
	}
	if r.Bisect == nil || r.Bisect.Extracted != repro {
		t.Fatalf("%+v", r.Bisect)
	}
	again, err := verify.Verify(context.Background(), repro, verify.Options{ORTLibrary: noLibrary})
	if err != nil {
		t.Fatal(err)
	}
	if c, _ := find(again, "repro", "interp"); again.Verdict != verify.Fail || c.Verdict != verify.Fail {
		t.Errorf("%s; %s %s", again.Verdict, c.Verdict, c.Detail)
	}
	expected := filepath.Join(repro, "expected.safetensors")
	if err := os.Remove(expected); err != nil {
		t.Fatal(err)
	}
	empty, err := safetensors.Create(expected, nil, nil)
	if err == nil {
		err = empty.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verify.Verify(context.Background(), repro, verify.Options{ORTLibrary: noLibrary}); err == nil || !strings.Contains(err.Error(), "holds no tensor") {
		t.Errorf("error %v", err)
	}
}
