package verify_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/verify"
)

// TestQuantised verifies the graphs of every model of testdata/quantised against the
// answers of stock transformers to what its numbers mean, and its rewrite against the
// model: the tensors are those of the source, byte for byte, and the configuration
// declares them as before.
func TestQuantised(t *testing.T) {
	runtimePresent(t)
	dirs, err := filepath.Glob(filepath.Join(fixtures, "quantised", "*", "config.json"))
	if err != nil || len(dirs) < 32 {
		t.Fatalf("no models: %v, %v", dirs, err)
	}
	if testing.Short() { // decoding is tested beside the formats
		dirs = dirs[:1]
	}
	for _, config := range dirs {
		model := filepath.Dir(config)
		name := filepath.Base(model)
		t.Run(name+"/golden", func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), name)
			if err := os.CopyFS(dir, os.DirFS(model)); err != nil {
				t.Fatal(err)
			}
			c := conversion{maxLength: 120}
			if err := c.emit(dir); err != nil {
				t.Fatal(err)
			}
			r := verified(t, dir, verify.Options{Golden: filepath.Join(model, "golden.safetensors"), OptLevel: oneLevel()})
			sound(t, r)
			answered(t, r)
		})
		t.Run(name+"/hope", func(t *testing.T) {
			t.Parallel()
			c := conversion{model: "quantised/" + name, to: "hope", maxLength: 120}
			dir, err := c.try(t)
			if err != nil {
				t.Fatal(err)
			}
			r := verified(t, dir, verify.Options{Against: model, OptLevel: oneLevel()})
			sound(t, r)
			if check, ok := find(r, "rewrite", "ref"); !ok || check.Verdict != verify.Pass {
				t.Errorf("rewrite: %s: %s", check.Verdict, check.Detail)
			}
			var files [2][]byte
			for i, folder := range []string{model, dir} {
				if files[i], err = os.ReadFile(filepath.Join(folder, "model.safetensors")); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(files[0], files[1]) {
				t.Error("the tensors are not the source's")
			}
			text, err := os.ReadFile(filepath.Join(dir, "config.json"))
			if err != nil || !bytes.Contains(text, []byte(`"quantization_config"`)) {
				t.Errorf("config.json declares no quantised weights: %v", err)
			}
		})
	}
}

// TestStoredCodesRounded: products with a checkpoint's own codes that round what enters
// them pass as those do whose codes were made here, and without such codes there are none.
func TestStoredCodesRounded(t *testing.T) {
	runtimePresent(t)
	for model, fits := range map[string]bool{"llama-gguf": true, "llama-gptq4": true, "seed_oss-int8": false} {
		t.Run(model, func(t *testing.T) {
			t.Parallel()
			source := filepath.Join(fixtures, "quantised", model)
			dir := filepath.Join(t.TempDir(), model)
			if err := os.CopyFS(dir, os.DirFS(source)); err != nil {
				t.Fatal(err)
			}
			_, err := onnxops.Emit(dir, onnxops.Options{MaxLength: 64, Version: "test", Coding: onnxops.Coding{Accuracy: onnxops.AccuracyInt8}})
			if !fits {
				if err == nil || !strings.Contains(err.Error(), "no weight is stored in codes that are multiplied as they are") {
					t.Errorf("refused with %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			r := verified(t, dir, verify.Options{Golden: filepath.Join(source, "golden.safetensors"), OptLevel: oneLevel()})
			sound(t, r)
			if c, made := find(r, "rounded-inputs", "ort-cpu"); !made || c.Verdict != verify.Pass || c.MaxAbs == 0 {
				t.Errorf("rounded-inputs: made %v, %s, off by %v: expected a pass that is not exact", made, c.Verdict, c.MaxAbs)
			}
		})
	}
}
