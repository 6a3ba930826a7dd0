package ort

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/pecvt/pecvt/convert/tensor"
)

func TestReadInterface(t *testing.T) {
	for _, c := range []struct {
		model           string
		inputs, outputs string
	}{
		{"cache", "past F32 [batch 3 past 4], new F32 [batch 3 sequence 4]", "present F32 [batch 3 total 4]"},
		{"scalar", "a F32 [], b F32 [], i I64 []", "sum F32 [], neg I64 []"},
		{"default", "x F32 [n]", "y F32 [n]"},
		{"external", "x F32 [n 2]", "y F32 [n 2]"},
		{"sequence", "x F32 [n]", "s (ONNX element type 0)"},
		{"constant", "", "y F32 [1]"},
	} {
		inputs, outputs, err := readInterface("testdata/" + c.model + ".onnx")
		if err != nil {
			t.Errorf("%s: %v", c.model, err)
			continue
		}
		if got := list(inputs); got != c.inputs {
			t.Errorf("%s: inputs %q, want %q", c.model, got, c.inputs)
		}
		if got := list(outputs); got != c.outputs {
			t.Errorf("%s: outputs %q, want %q", c.model, got, c.outputs)
		}
	}
}

// Every dtype has a number, and each its own.
func TestElemTypes(t *testing.T) {
	seen := map[tensor.DType]uint64{}
	for number, d := range elemTypes {
		if before, ok := seen[d]; ok {
			t.Errorf("%s is %d and %d", d, before, number)
		}
		seen[d] = number
	}
	for _, d := range tensor.DTypes() {
		if _, ok := seen[d]; !ok {
			t.Errorf("%s has no number", d)
		}
	}
}

// The large fields of a model are stepped over: the file here has a weight of
// 8 GB in the middle, a hole that takes no space.
func TestReadInterfaceStepsOverWeights(t *testing.T) {
	const hole = 8 << 30
	small, err := os.ReadFile("testdata/table.onnx")
	if err != nil {
		t.Fatal(err)
	}
	var graph []byte
	var head []byte
	for b := small; len(b) > 0; {
		number, kind, n := protowire.ConsumeField(b)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		if number == modelGraph && kind == protowire.BytesType {
			_, _, tag := protowire.ConsumeTag(b)
			graph, _ = protowire.ConsumeBytes(b[tag:])
		} else {
			head = append(head, b[:n]...)
		}
		b = b[n:]
	}
	tensorHead := protowire.AppendTag(nil, tensorName, protowire.BytesType)
	tensorHead = protowire.AppendString(tensorHead, "large")
	tensorHead = protowire.AppendTag(tensorHead, 9, protowire.BytesType) // raw_data
	tensorHead = protowire.AppendVarint(tensorHead, hole)
	weight := protowire.AppendTag(nil, graphInitializer, protowire.BytesType)
	weight = protowire.AppendVarint(weight, uint64(len(tensorHead))+hole)
	weight = append(weight, tensorHead...)
	head = protowire.AppendTag(head, modelGraph, protowire.BytesType)
	head = protowire.AppendVarint(head, uint64(len(weight))+hole+uint64(len(graph)))
	head = append(head, weight...)

	path := filepath.Join(t.TempDir(), "large.onnx")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(head); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(graph, int64(len(head))+hole); err != nil {
		t.Skipf("needs a file system with holes in files of 8 GB: %v", err)
	}
	inputs, _, err := readInterface(path)
	if err != nil || list(inputs) != "position_ids I64 [batch sequence]" {
		t.Errorf("inputs %q, %v", list(inputs), err)
	}
}

func FuzzReadInterface(f *testing.F) {
	models, err := filepath.Glob("testdata/*.onnx")
	if err != nil || len(models) == 0 {
		f.Fatalf("no models: %v", err)
	}
	for _, path := range models {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		inputs, outputs, stored, err := parseInterface(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		for _, w := range stored {
			_ = w.check(".")
		}
		for _, v := range append(inputs, outputs...) {
			if len(v.Shape) != len(v.Symbols) {
				t.Errorf("%q: %d sizes and %d symbols", v.Name, len(v.Shape), len(v.Symbols))
			}
			_ = v.String()
		}
	})
}
