package verify_test

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify"
)

// TestGoldenAsIs: given answers are held against a graph as it is too, and a fault that
// its graph in float32 does not show is found by them.
func TestGoldenAsIs(t *testing.T) {
	runtimePresent(t)
	const model = "golden/llama-gqa"
	golden := filepath.Join(fixtures, model, "golden", "rope.safetensors")
	small := func(t *testing.T, g *graphOf) { // what the heads give is lost in float16, and not in float32
		at := g.node(t, "/layers.0/attn/o_proj/Gemm")
		var before []*onnxpb.NodeProto
		in := at.Input[0]
		for i, name := range []string{"/fault/small", "/fault/large", "/fault/large2"} {
			factor := name + "_factor"
			bits := []byte{0, 0}
			if i == 0 { // 2^-24, then 2^12 twice
				bits[0] = 1
			} else {
				bits[1] = 0x6c
			}
			g.model.Graph.Initializer = append(g.model.Graph.Initializer, &onnxpb.TensorProto{Name: factor, DataType: int32(onnxpb.TensorProto_FLOAT16), RawData: bits})
			cast := &onnxpb.NodeProto{OpType: "Cast", Name: factor + "/Cast", Input: []string{factor}, Output: []string{factor + "_cast"}, Attribute: []*onnxpb.AttributeProto{textAttribute("to", int64(onnxpb.TensorProto_FLOAT16))}}
			before = append(before, cast, &onnxpb.NodeProto{OpType: "Mul", Name: name, Input: []string{in, factor + "_cast"}, Output: []string{name + "_out"}})
			in = name + "_out"
		}
		at.Input[0] = in
		i := slices.Index(g.model.Graph.Node, at)
		g.model.Graph.Node = slices.Insert(g.model.Graph.Node, i, before...)
	}
	for name, c := range map[string]struct {
		o     onnxops.Options
		plant func(t *testing.T, g *graphOf)
		want  map[string]verify.Verdict
	}{
		"float16":          {onnxops.Options{DType: onnxops.DTypeFloat16}, nil, map[string]verify.Verdict{"interp": verify.Pass, "ort-cpu": verify.Pass}},
		"float16, a fault": {onnxops.Options{DType: onnxops.DTypeFloat16}, small, map[string]verify.Verdict{"interp": verify.Fail}},
		"last logits":      {onnxops.Options{DType: onnxops.DTypeFloat16, Logits: onnxops.LogitsLast}, nil, map[string]verify.Verdict{"interp": verify.Pass, "ort-cpu": verify.Pass}},
		"bfloat16":         {onnxops.Options{DType: onnxops.DTypeBFloat16}, nil, map[string]verify.Verdict{"interp": verify.Pass, "ort-cpu": verify.Skipped}},
		"codes, float16":   {onnxops.Options{DType: onnxops.DTypeFloat16, Weights: onnxops.WeightsInt4}, nil, map[string]verify.Verdict{"interp": verify.Pass, "ort-cpu": verify.Pass}},
		"codes, int8":      {onnxops.Options{Weights: onnxops.WeightsInt4, Coding: onnxops.Coding{Accuracy: onnxops.AccuracyInt8}}, nil, map[string]verify.Verdict{"ort-cpu": verify.Pass}},
		"codes, float32":   {onnxops.Options{Weights: onnxops.WeightsInt4}, nil, nil},
		"float32":          {onnxops.Options{}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.o.MaxLength = 64
			dtype := c.o.DType
			dir := emittedAs(t, model, dtype, c.o)
			if c.plant != nil {
				graphFault(c.plant)(t, dir)
			}
			r := verified(t, dir, verify.Options{Golden: golden, OptLevel: oneLevel(), Provider: "cpu"})
			got := map[string]verify.Verdict{}
			for _, check := range r.Checks {
				if check.Name == "golden.as-is" {
					got[check.Runner] = check.Verdict
					if check.Verdict == verify.Pass && (check.MaxRel <= 0 || check.Limit <= check.MaxRel) {
						t.Errorf("%s passes with %v of %v", check.Runner, check.MaxRel, check.Limit)
					}
				}
			}
			if len(got) != len(c.want) && c.plant == nil { // ONNX Runtime on a CPU computes most of it in float32
				t.Errorf("made %v, want %v", got, c.want)
			}
			for runner, want := range c.want {
				if got[runner] != want {
					t.Errorf("%s: %s, want %s", runner, got[runner], want)
				}
			}
			if g, ok := find(r, "golden", "ref"); !ok || g.Verdict != verify.Pass {
				t.Errorf("golden of ref: %s %s", g.Verdict, g.Detail)
			}
			if g, ok := find(r, "golden", "ort-cpu"); ok && g.Verdict != verify.Pass {
				t.Errorf("golden in float32: %s %s", g.Verdict, g.Detail)
			}
		})
	}
}
