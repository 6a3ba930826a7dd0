package onnxops

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/quant/nearest"
	"github.com/pecvt/pecvt/convert/quant/widths"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// TestDecodedMaps: what standard operators decode is one chain from codes to the product,
// cast, zero, scale and reshape, which OpenVINO knows and of which ONNX Runtime keeps the
// fewest copies; and a tied head reads the embedding's bytes.
func TestDecodedMaps(t *testing.T) {
	for _, tt := range []struct {
		name string
		opts Options
		of   string
		want string
	}{
		{"4 bits, lows", Options{Weights: WeightsInt4, Portable: true}, "Gemm/decoded", "UINT4 Cast Sub Mul Reshape Gemm"},
		{"4 bits, none", Options{Weights: WeightsInt4, Portable: true, Coding: Coding{ZeroPoints: nearest.ZeroNone}}, "Gemm", "UINT4 Cast Sub Mul Reshape Gemm"},
		{"4 bits, codes", Options{Weights: WeightsInt4, Portable: true, Coding: Coding{ZeroPoints: nearest.ZeroCode}}, "Gemm", "UINT4 Cast Sub Mul Reshape Gemm"},
		{"8 bits", Options{Weights: WeightsInt8, Portable: true, Coding: Coding{ZeroPoints: nearest.ZeroNone}}, "Gemm", "UINT8 Cast Sub Mul Reshape Gemm"},
		{"8 bits, not portable", Options{Weights: WeightsInt8, Coding: Coding{ZeroPoints: nearest.ZeroNone}}, "Gemm", "UINT8 Cast Sub Mul Reshape Gemm"},
		{"older", Options{Weights: WeightsInt4, Portable: true, Opset: 20, Coding: Coding{ZeroPoints: nearest.ZeroNone}}, "Gemm", "UINT8 Cast Sub Unsqueeze Concat Reshape Sub Mul Reshape Gemm"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src, err := store.Open(filepath.Join("..", "testdata", "golden", "llama-tied-bf16"))
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			m, err := families.Load(src)
			if err != nil {
				t.Fatal(err)
			}
			tt.opts.MaxLength, tt.opts.Coding.Head = 64, widths.Int4
			model, _, err := export(m, src, tt.opts)
			if err != nil {
				t.Fatal(err)
			}
			makers, inits := map[string]*onnxpb.NodeProto{}, map[string]*onnxpb.TensorProto{}
			var product *onnxpb.NodeProto
			for _, n := range model.GetGraph().GetNode() {
				makers[n.GetOutput()[0]] = n
				if n.GetName() == "/layers.0/mlp/up_proj/"+tt.of {
					product = n
				}
			}
			for _, i := range model.GetGraph().GetInitializer() {
				inits[i.GetName()] = i
			}
			if product == nil {
				t.Fatal("no product of the map")
			}
			chain := []string{product.GetOpType()}
			value := product.GetInput()[1]
			for n := makers[value]; n != nil; n = makers[value] {
				chain = append([]string{n.GetOpType()}, chain...)
				value = n.GetInput()[0]
			}
			chain = append([]string{onnxpb.TensorProto_DataType(inits[value].GetDataType()).String()}, chain...)
			if got := strings.Join(chain, " "); got != tt.want {
				t.Errorf("from the codes to the product: %s, expected %s", got, tt.want)
			}
			codes, elements := inits["model.embed_tokens.weight~codes4"], inits["model.embed_tokens.weight~elements4"]
			if elements == nil {
				return
			}
			file, at, length := external(t, codes)
			if other, from, many := external(t, elements); file != other || at != from || length != many {
				t.Errorf("the embedding's codes are bytes %d to %d of %s, the head's %d to %d of %s", at, at+length, file, from, from+many, other)
			}
		})
	}
}
