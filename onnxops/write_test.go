package onnxops

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

func TestWriteFiles(t *testing.T) {
	tests := []struct {
		opts Options
		want []string
	}{
		{Options{}, []string{"genai_config.json", "model.onnx"}},
		{Options{Placement: PlaceEmbed}, []string{"genai_config.json", "model.onnx"}},
		{Options{Placement: PlaceExternalCopy}, []string{"genai_config.json", "model.onnx", "model.onnx.data"}},
		{Options{Attention: AttentionORT}, []string{"genai_config.json", "model.onnx"}},
	}
	m, ckpt := load(t, "golden/qwen2")
	for _, tt := range tests {
		dir := t.TempDir()
		got, err := Write(dir, m, ckpt, tt.opts)
		if err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		var found []string
		for _, e := range entries {
			found = append(found, e.Name())
		}
		if !slices.Equal(got, tt.want) || !slices.Equal(found, tt.want) {
			t.Errorf("%+v: told %v, found %v, expected %v", tt.opts, got, found, tt.want)
		}
	}
}

func TestWriteErrors(t *testing.T) {
	m, ckpt := load(t, "golden/qwen2")
	_, err := Write(filepath.Join(t.TempDir(), "missing"), m, ckpt, Options{})
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), ModelFile) {
		t.Errorf("a missing folder: error %v", err)
	}
	// Four slices over the same bytes stand for a model beyond protobuf's limit.
	big := make([]byte, 600<<20)
	model := &onnxpb.ModelProto{Graph: &onnxpb.GraphProto{}}
	for _, name := range []string{"a", "b", "c", "d"} {
		model.Graph.Initializer = append(model.Graph.Initializer, &onnxpb.TensorProto{Name: name, RawData: big})
	}
	if err := WriteModel(io.Discard, model); err == nil || !strings.Contains(err.Error(), "use Options.Placement external") {
		t.Errorf("a model over 2 GiB: error %v", err)
	}
	if err := WriteModel(brokenWriter{}, exportOne(t, m, ckpt, Options{})); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a writer that fails: error %v", err)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, os.ErrClosed }

// TestGuard: what positions or the mask's numbers decide reaches the head through
// the guard, and no shape.
func TestGuard(t *testing.T) {
	const guard = "/guard/nan_past_max_length/Where_output_0"
	m, ckpt := load(t, "golden/qwen3")
	shapes := map[string][]int{"Reshape": {1}, "Expand": {1}, "ConstantOfShape": {0}, "Range": {0, 1, 2}, "Slice": {1, 2}, "Tile": {1}, "Unsqueeze": {1}}
	for form, source := range map[string]string{AttentionStandard: "position_ids", AttentionORT: "attention_mask"} {
		g := exportOne(t, m, ckpt, Options{Attention: form, MaxLength: 48}).GetGraph()
		reads := map[string]bool{source: true} // what follows from the source's numbers
		for _, n := range g.GetNode() {
			if n.GetOpType() == "Shape" {
				continue
			}
			for i, in := range n.GetInput() {
				if reads[in] && slices.Contains(shapes[n.GetOpType()], i) {
					t.Errorf("%s: a shape of %s follows from %s", form, n.GetName(), source)
				}
			}
			if slices.ContainsFunc(n.GetInput(), func(in string) bool { return reads[in] }) {
				for _, out := range n.GetOutput() {
					reads[out] = true
				}
			}
			if n.GetName() == "/head/Gemm" && n.GetInput()[0] != guard {
				t.Errorf("%s: the head reads %s, expected %s", form, n.GetInput()[0], guard)
			}
		}
		if form == AttentionStandard && !reads[guard] {
			t.Errorf("%s: the guard does not follow from %s", form, source)
		}
		limit := "/const/last_position"
		want := []byte{47, 0, 0, 0, 0, 0, 0, 0}
		if form == AttentionORT {
			limit, want[0] = "/const/max_length", 48
		}
		if got := initializer(&onnxpb.ModelProto{Graph: g}, limit).GetRawData(); !bytes.Equal(got, want) {
			t.Errorf("%s: %s is %v, expected %v", form, limit, got, want)
		}
	}
}
