package onnxops

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// TestCodes: what becomes of weights in codes, by how they are stored and what the graph
// is for. That the numbers are right, verify.TestQuantised shows.
func TestCodes(t *testing.T) {
	for _, tt := range []struct {
		model          string
		opts           Options
		products, gemm int // MatMulNBits, Gemm
		note           string
	}{
		{"llama-gptq4", Options{}, 14, 1, "14 as MatMulNBits"},
		{"llama-gptq4", Options{Attention: AttentionORT}, 14, 1, "14 as MatMulNBits"},
		{"llama-gptq4", Options{Portable: true}, 0, 15, "14 as codes and scales"},
		{"llama-gptq4", Options{Weights: WeightsFloat32}, 0, 15, "14 as float32 (float32 was asked for)"},
		{"llama-gguf", Options{}, 6, 13, "6 as MatMulNBits"}, // 4 of them with minimums, a Gemm each,
		{"qwen3-packed-mixed", Options{}, 6, 9, "6 as MatMulNBits, 8 as codes and scales"},
		{"qwen2-gptq4-act", Options{}, 0, 15, "14 as codes and scales"},
		{"glm4-fp8-channel", Options{}, 0, 15, "as codes and scales"},
		{"glm4-fp8-channel", Options{Opset: 17}, 0, 15, "as float32 (operator set 17 has no 8-bit floats, 19 has)"},
	} {
		src, err := store.Open(filepath.Join("..", "testdata", "quantised", tt.model))
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		m, err := families.Load(src)
		if err != nil {
			t.Fatal(err)
		}
		tt.opts.MaxLength = 64
		model, weights, err := export(m, src, tt.opts)
		if err != nil {
			t.Fatalf("%s: %v", tt.model, err)
		}
		counts := map[string]int{}
		for _, n := range model.GetGraph().GetNode() {
			counts[n.GetOpType()]++
			for _, a := range n.GetAttribute() {
				if a.GetName() == "accuracy_level" && a.GetI() != 1 {
					t.Errorf("%s: %s rounds what enters it: accuracy_level %d", tt.model, n.GetName(), a.GetI())
				}
			}
		}
		if counts["MatMulNBits"] != tt.products || counts["Gemm"] != tt.gemm {
			t.Errorf("%s, %+v: %d products of codes and %d Gemm, expected %d and %d", tt.model, tt.opts, counts["MatMulNBits"], counts["Gemm"], tt.products, tt.gemm)
		}
		if note := strings.Join(weights.heldNotes(), ""); !strings.Contains(note, tt.note) {
			t.Errorf("%s, %+v: note %q, expected %q in it", tt.model, tt.opts, note, tt.note)
		}
	}
}

// TestCodesInPlace: 8-bit codes are read where the checkpoint has them, and copies of
// other codes take half a byte each.
func TestCodesInPlace(t *testing.T) {
	for model, want := range map[string]struct {
		typ      onnxpb.TensorProto_DataType
		location string
	}{
		"ministral3-fp8": {onnxpb.TensorProto_FLOAT8E4M3FN, "model.safetensors"},
		"seed_oss-int8":  {onnxpb.TensorProto_INT8, "model.safetensors"},
		"llama-gptq4":    {onnxpb.TensorProto_UINT8, DataFile},
	} {
		src, err := store.Open(filepath.Join("..", "testdata", "quantised", model))
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		m, err := families.Load(src)
		if err != nil {
			t.Fatal(err)
		}
		graph, err := Export(m, src, Options{MaxLength: 64})
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, i := range graph.GetGraph().GetInitializer() {
			if !strings.HasPrefix(i.GetName(), "model.layers.1.mlp.up_proj.weight") || strings.Contains(i.GetName(), "#scales") || strings.Contains(i.GetName(), "#zeros") {
				continue
			}
			found++
			location, _, length := external(t, i)
			numbers := m.Blocks[1].MLP().Up.Weight.Shape[0] * m.Blocks[1].MLP().Up.Weight.Shape[1]
			if want.typ == onnxpb.TensorProto_UINT8 {
				numbers /= 2
			}
			if i.GetDataType() != int32(want.typ) || location != want.location || length < numbers || length > numbers*5/4+numbers {
				t.Errorf("%s: %s is %d bytes of %s in %s, expected %d of %s in %s", model, i.GetName(), length, onnxpb.TensorProto_DataType(i.GetDataType()), location, numbers, want.typ, want.location)
			}
		}
		if found == 0 {
			t.Errorf("%s: no codes of the weight", model)
		}
	}
}
