package convert

import (
	"math"
	"path/filepath"
	"strings"
	"testing"
)

// TestInspectEncodings: what a checkpoint's layers do is named even where no
// rope key declares it.
func TestInspectEncodings(t *testing.T) {
	for name, want := range map[string]struct {
		encoding string
		planes   int
		theta    float64 // of plane 1, unsigned
		slopes   int
		length   int
		from     string
	}{
		"llama-gqa":             {"rope", 8, math.Pow(300, -1./8), 0, 32, "max_position_embeddings"},
		"gpt-neox":              {"rope", 2, 0.01, 0, 32, "max_position_embeddings"},
		"bloom":                 {"alibi", 0, 0, 4, 2048, "the family's default length"},
		"mpt":                   {"alibi", 0, 0, 4, 64, "max_seq_len"},
		"falcon-alibi":          {"alibi", 0, 0, 4, 2048, "max_position_embeddings"},
		"grape-rope":            {"rope", 8, math.Pow(10000, -1./8), 0, 64, "block_size"},
		"grape-fox":             {"fox", 0, 0, 0, 64, "block_size"},
		"grape-m-ctx":           {"grape-m-ctx", 8, 0.2638329701273265, 0, 64, "block_size"},
		"grape-m-nonctx":        {"grape-m", 8, 1.0325619148343392, 0, 64, "block_size"},
		"grape-a-querykeygated": {"grape-a", 0, 0, 4, 64, "block_size"},
		"grape-ap-v1":           {"grape-ap", 0, 0, 4, 64, "block_size"},
	} {
		in, err := Inspect(filepath.Join("..", "testdata", "golden", name, "model.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		if in.Encoding != want.encoding || len(in.Planes) != want.planes || len(in.Slopes) != want.slopes || in.TrainedLength != want.length || in.TrainedLengthFrom != want.from {
			t.Errorf("%s: %s with %d planes and %d slopes, L %d from %s; want %+v", name, in.Encoding, len(in.Planes), len(in.Slopes), in.TrainedLength, in.TrainedLengthFrom, want)
			continue
		}
		if want.planes > 0 && math.Abs(in.Planes[1].InvFreq-want.theta) > 1e-14 {
			t.Errorf("%s: plane 1 turns by %.9g, want %.9g", name, in.Planes[1].InvFreq, want.theta)
		}
		if perHead := strings.Contains(strings.Join(in.Warnings, " "), "of its own"); perHead != (name == "grape-m-nonctx") {
			t.Errorf("%s: warnings %q", name, in.Warnings)
		}
	}
}
