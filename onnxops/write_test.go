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
		{Options{Weights: WeightsEmbed}, []string{"genai_config.json", "model.onnx"}},
		{Options{Weights: WeightsExternalCopy}, []string{"genai_config.json", "model.onnx", "model.onnx.data"}},
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
	if err := WriteModel(io.Discard, model); err == nil || !strings.Contains(err.Error(), "use Options.Weights external") {
		t.Errorf("a model over 2 GiB: error %v", err)
	}
	if err := WriteModel(brokenWriter{}, exportOne(t, m, ckpt, Options{})); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a writer that fails: error %v", err)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, os.ErrClosed }

// TestGuard: the empty vector that a position past the tables turns into an
// error stands in every shape that splits heads, in both forms.
func TestGuard(t *testing.T) {
	const guard = "/guard/position_is_past_max_length/ConstantOfShape_output_0"
	m, ckpt := load(t, "golden/qwen3")
	for form, source := range map[string]string{AttentionStandard: "position_ids", AttentionORT: "attention_mask"} {
		g := exportOne(t, m, ckpt, Options{Attention: form, MaxLength: 48}).GetGraph()
		shapes := 0
		reads := map[string]bool{source: true} // what follows from the source
		for _, n := range g.GetNode() {
			if slices.ContainsFunc(n.GetInput(), func(in string) bool { return reads[in] }) {
				for _, out := range n.GetOutput() {
					reads[out] = true
				}
			}
			if strings.HasPrefix(n.GetName(), "/shape/") {
				shapes++
				if !slices.Contains(n.GetInput(), guard) {
					t.Errorf("%s: %s lacks the guard", form, n.GetName())
				}
			}
		}
		if shapes < 3 || !reads[guard] {
			t.Errorf("%s: %d shapes, guard follows from %s: %v", form, shapes, source, reads[guard])
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
