package generate_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify/generate"
	"github.com/pecvt/pecvt/verify/ort"
)

// TestOpenAny: a folder as onnxruntime-genai's builder makes it, without pecvt's
// metadata and with the width of its caches left open, answers as pecvt's own, whether
// it says that caches are written in place or not.
func TestOpenAny(t *testing.T) {
	dir := folder(t, "golden/llama-gqa", onnxops.Options{Attention: onnxops.AttentionORT, MaxLength: 64})
	own := open(t, dir)
	ids := []int64{3, 1, 4, 1, 5, 9, 2, 6, 5, 3}
	answers := func(g *generate.Graph) (all []float32) {
		t.Helper()
		g.Begin(0)
		for _, piece := range [][]int64{ids[:7], ids[7:8], ids[8:]} {
			l, err := g.Next(t.Context(), piece)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, l...)
		}
		return all
	}
	want := answers(own)

	raw, err := os.ReadFile(filepath.Join(dir, "model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	m := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(raw, m); err != nil {
		t.Fatal(err)
	}
	m.MetadataProps = nil
	size := int64(0)
	for _, v := range append(slices.Clone(m.Graph.Input), m.Graph.Output...) {
		if strings.HasSuffix(v.GetName(), ".key") || strings.HasSuffix(v.GetName(), ".value") {
			d := v.GetType().GetTensorType().GetShape().GetDim()[3]
			size = d.GetDimValue()
			d.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: "kv_cache_dim"}
		}
	}
	if raw, err = proto.Marshal(m); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "model.onnx")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "theirs.onnx"), raw, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, shared := range []string{"true", "false"} {
		config := `{"model": {"context_length": 64, "decoder": {"filename": "theirs.onnx", "head_size": ` + fmt.Sprint(size) + `}}, "search": {"past_present_share_buffer": ` + shared + `}}`
		if err := os.WriteFile(filepath.Join(dir, "genai_config.json"), []byte(config), 0o644); err != nil {
			t.Fatal(err)
		}
		g, err := generate.OpenAny(dir, ort.Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		if g.MaxLength() != 64 {
			t.Errorf("%d positions", g.MaxLength())
		}
		if got := answers(g); !slices.Equal(got, want) {
			t.Errorf("shared %s: other numbers than pecvt's folder", shared)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "genai_config.json"), []byte(`{"model": {"decoder": {"filename": "theirs.onnx"}}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := generate.OpenAny(dir, ort.Options{}); err == nil || !strings.Contains(err.Error(), "two dimensions are not fixed") {
		t.Error(err)
	}
}
