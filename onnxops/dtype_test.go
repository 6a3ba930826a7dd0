package onnxops

import (
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/posenc/hint"
)

// TestInterfaceTypes: caches are of the type that a graph computes in, sums and the
// logits are float32.
func TestInterfaceTypes(t *testing.T) {
	for model, want := range map[string]map[string]onnxpb.TensorProto_DataType{
		"golden/llama-gqa": {"past_key_values.0.key": graph.Float16, "present.1.value": graph.Float16, "logits": graph.Float, "input_ids": graph.Int64},
		"golden/grape-fox": {"past_key_values.0.key": graph.Float16, "past_state.0.forget": graph.Float, "present_state.0.forget": graph.Float},
		"families/bamba":   {"past_state.0.recurrent": graph.Float, "past_state.0.window": graph.Float16, "present_state.0.window": graph.Float16},
		"families/minimax": {"past_state.0.recurrent": graph.Float},
	} {
		src, err := store.Open(filepath.Join("..", "testdata", model))
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		m, err := families.Load(src)
		if err != nil {
			t.Fatal(err)
		}
		pb, err := Export(m, src, Options{DType: DTypeFloat16, MaxLength: 64})
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]onnxpb.TensorProto_DataType{}
		for _, v := range append(pb.GetGraph().GetInput(), pb.GetGraph().GetOutput()...) {
			found[v.GetName()] = onnxpb.TensorProto_DataType(v.GetType().GetTensorType().GetElemType())
		}
		for name, typ := range want {
			if found[name] != typ {
				t.Errorf("%s: %s is %v, expected %v", model, name, found[name], typ)
			}
		}
	}
}

// TestBeyond: the first number that a type of 16 bits rounds to infinity is found, and
// the last that it does not is let pass.
func TestBeyond(t *testing.T) {
	for _, c := range []struct {
		d     tensor.DType
		v     float64
		limit float64
		want  bool
	}{
		{tensor.F32, 65519.99, 65520, false}, {tensor.F32, -65520, 65520, true}, {tensor.F32, math.Inf(1), 65520, true},
		{tensor.BF16, 65280, 65520, false}, {tensor.BF16, -65536, 65520, true},
		{tensor.F64, 65519.9999, 65520, false}, {tensor.F64, 65520, 65520, true}, {tensor.F64, math.NaN(), 65520, true},
		{tensor.F32, 0x1.fe8p127, 0x1.ffp127, false}, {tensor.F32, math.MaxFloat32, 0x1.ffp127, true},
	} {
		raw := make([]byte, 3*c.d.Size())
		if err := tensor.Encode64(raw, []float64{1, c.v, 2}, c.d); err != nil {
			t.Fatal(err)
		}
		i, v, found := beyond(raw, c.d, c.limit)
		if found != c.want || found && (i != 1 || v != c.v && !math.IsNaN(c.v)) {
			t.Errorf("%s %v: found %v at %d: %v", c.d, c.v, found, i, v)
		}
	}
}

// TestTooLarge: a weight that float16 does not hold is an error that names it.
func TestTooLarge(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", "testdata", "models", "stories260K"))); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "model.safetensors")
	src, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	const name = "model.layers.2.mlp.up_proj.weight"
	at, ok := src.Place(name)
	src.Close()
	if !ok {
		t.Fatal("no such tensor")
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint32(raw[at.Offset+4*7:], math.Float32bits(-70000))
	if err := os.WriteFile(path, raw, 0o666); err != nil {
		t.Fatal(err)
	}
	_, err = Emit(dir, Options{DType: DTypeFloat16})
	var named *hint.Error
	for _, part := range []string{name, "number 7 is -70000", "65504", DTypeBFloat16, "model.safetensors"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v: expected %q in it", err, part)
		}
	}
	if !errors.As(err, &named) {
		t.Errorf("%v names no option", err)
	}
	if _, err := Emit(dir, Options{DType: DTypeBFloat16}); err != nil {
		t.Error(err)
	}
	// The middle between float16's largest number and the next is the first that is none.
	for number, fits := range map[float32]bool{65519.996: true, -65519.996: true, 65520: false, -65520: false, float32(math.Inf(1)): false} {
		binary.LittleEndian.PutUint32(raw[at.Offset+4*7:], math.Float32bits(number))
		if err := os.WriteFile(path, raw, 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := Emit(dir, Options{DType: DTypeFloat16, MaxLength: 64}); (err == nil) != fits {
			t.Errorf("%v: %v", number, err)
		} else if err != nil && math.IsInf(float64(number), 0) == strings.Contains(err.Error(), "Options.DType") {
			t.Errorf("%v: %v: another type helps a finite number alone", number, err)
		}
	}
}

// TestTypeRefused: what does not go with 16 bits is refused by name.
func TestTypeRefused(t *testing.T) {
	for want, o := range map[string]Options{
		"half":                           {DType: "half"},
		"written out in float32's":       {DType: DTypeFloat16, Opset: 22},
		"folder of transformers.js":      {DType: DTypeBFloat16, Folder: FolderWeb},
		"to 8 bits":                      {DType: DTypeFloat16, Weights: WeightsInt4, Coding: Coding{Accuracy: AccuracyInt8}},
		"no coordinate of a position":    {DType: DTypeFloat16, Bias: BiasLowered},
		"defined for float32 and float1": {DType: DTypeBFloat16, Bias: BiasFused},
	} {
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, expected %q", o, err, want)
		}
	}
}
