package onnxops

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/quant/nearest"
	"github.com/pecvt/pecvt/convert/quant/widths"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/posenc/hint"
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

// TestLosesNote: of a map whose numbers are codes by Q4_0's formula an export by other zero
// points says which kind loses nothing of it, and one by those says nothing.
func TestLosesNote(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", "testdata", "models", "stories260K"))); err != nil {
		t.Fatal(err)
	}
	src, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	const name = "model.layers.0.self_attn.q_proj.weight"
	at, ok := src.Place(name)
	src.Close()
	if !ok {
		t.Fatal("no such tensor")
	}
	path := filepath.Join(dir, "model.safetensors")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range at.Length / 4 { // the largest is that of code -8, so that no least number is of float16
		binary.LittleEndian.PutUint32(raw[at.Offset+4*i:], math.Float32bits(float32((i*7+i/32)%16-8)*-nearest.Half(0.0101)))
	}
	if err := os.WriteFile(path, raw, 0o666); err != nil {
		t.Fatal(err)
	}
	for zeros, note := range map[string]bool{"": true, nearest.ZeroFloat: true, nearest.ZeroNone: false, nearest.ZeroCode: false} {
		e, err := Emit(dir, Options{Weights: WeightsInt4, MaxLength: 64, Coding: Coding{ZeroPoints: zeros}})
		if err != nil {
			t.Fatal(err)
		}
		said := slices.ContainsFunc(e.Notes, func(n string) bool {
			return strings.Contains(n, name) && strings.Contains(n, hint.ZeroPoints+" none with "+hint.Block+" 32")
		})
		if said != note {
			t.Errorf("zero points %q: notes %q", zeros, e.Notes)
		}
	}
}
