package verify_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pecvt/pecvt/convert/quant/nearest"
	"github.com/pecvt/pecvt/convert/quant/widths"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/verify"
)

// rounding is how the weights of a test's graph are rounded.
type rounding struct {
	weights, zeros, accuracy, head string
	portable                       bool
}

// rounded writes the graph of a bundled model with rounded weights.
func rounded(t *testing.T, model string, how rounding) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), filepath.Base(model))
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(fixtures, model))); err != nil {
		t.Fatal(err)
	}
	_, err := onnxops.Emit(dir, onnxops.Options{Weights: how.weights, Portable: how.portable, MaxLength: 64, Version: "test",
		Coding: onnxops.Coding{ZeroPoints: how.zeros, Head: how.head, Accuracy: how.accuracy}})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestRounded verifies graphs of rounded weights, of every family's golden with
// PECVT_LONG, else of some: against the reference of what their codes mean, and the
// reference of the checkpoint against the golden's answers.
func TestRounded(t *testing.T) {
	runtimePresent(t)
	dirs, err := filepath.Glob(filepath.Join(fixtures, "families", "*", "config.json"))
	if err != nil || len(dirs) < 100 {
		t.Fatalf("no models: %v, %v", dirs, err)
	}
	if os.Getenv("PECVT_LONG") == "" { // as many as there are ways: each is gone once
		share := []string{"dbrx", "deepseek_v3", "falcon_h1", "gemma", "glm4", "gpt_oss", "granite", "lfm2", "olmo", "phi", "vaultgemma", "youtu"}
		dirs = slices.DeleteFunc(dirs, func(path string) bool { return !slices.Contains(share, filepath.Base(filepath.Dir(path))) })
		if len(dirs) != len(share) {
			t.Fatalf("%d models of %d: %v", len(dirs), len(share), dirs)
		}
	}
	ways := []rounding{
		{weights: onnxops.WeightsInt4, zeros: nearest.ZeroFloat}, {weights: onnxops.WeightsInt4, zeros: nearest.ZeroCode}, {weights: onnxops.WeightsInt4, zeros: nearest.ZeroNone},
		{weights: onnxops.WeightsInt8, zeros: nearest.ZeroNone}, {weights: onnxops.WeightsInt8, zeros: nearest.ZeroCode}, {weights: onnxops.WeightsInt4, zeros: nearest.ZeroCode, portable: true},
		{weights: onnxops.WeightsInt4, accuracy: onnxops.AccuracyInt8}, {weights: onnxops.WeightsInt8, accuracy: onnxops.AccuracyInt8},
		{weights: onnxops.WeightsInt4, head: widths.Int8}, {weights: onnxops.WeightsInt4, head: widths.Int8, accuracy: onnxops.AccuracyInt8},
		{weights: onnxops.WeightsInt4, head: widths.Stored}, {weights: onnxops.WeightsInt8, zeros: nearest.ZeroFloat, head: widths.Int4, portable: true},
	}
	for i, config := range dirs {
		name, how := filepath.Base(filepath.Dir(config)), ways[i%len(ways)]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := rounded(t, filepath.Join("families", name), how)
			o := verify.Options{OptLevel: oneLevel()}
			if golden := filepath.Join(fixtures, "families", name, "golden.safetensors"); exists(golden) {
				o.Golden = golden
			}
			r := verified(t, dir, o)
			sound(t, r)
			graph, err := os.ReadFile(filepath.Join(dir, "model.onnx"))
			if err != nil {
				t.Fatal(err)
			}
			// Some of the models have no map as wide as a block.
			rounds := how.accuracy == onnxops.AccuracyInt8 && bytes.Contains(graph, []byte("MatMulNBits"))
			if _, made := find(r, "rounded-inputs", "ort-cpu"); made != rounds {
				t.Errorf("rounded-inputs was made: %v, and products round: %v", made, rounds)
			}
			if c, ok := find(r, "golden", "ref"); o.Golden != "" && (!ok || c.Verdict != verify.Pass) {
				t.Errorf("golden: %s: %s", c.Verdict, c.Detail)
			}
		})
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
