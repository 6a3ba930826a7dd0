package verify_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/verify"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// webFolder is a folder for transformers.js.
func webFolder(t *testing.T, model, weights string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "web")
	plan, err := convert.NewPlan(filepath.Join(fixtures, model), convert.Options{To: "hope", Output: dir, Copy: true, WebWeights: weights})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := convert.Run(context.Background(), plan, convert.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := onnxops.Emit(dir, onnxops.Options{Folder: onnxops.FolderWeb, Placement: weights, MaxLength: 300}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestWebFolder: a graph in the folder where transformers.js looks is found and
// verified, wherever its weights are.
func TestWebFolder(t *testing.T) {
	present := runtimePresent(t)
	for _, c := range []struct{ model, weights string }{
		{"golden/llama-gqa", onnxops.PlaceExternal},
		{"golden/llama-sharded-f16", onnxops.PlaceExternal},
		{"golden/llama-gqa", onnxops.PlaceExternalCopy},
		{"golden/llama-gqa", onnxops.PlaceEmbed},
	} {
		t.Run(filepath.Base(c.model)+"/"+c.weights, func(t *testing.T) {
			t.Parallel()
			dir := webFolder(t, c.model, c.weights)
			if _, err := os.Stat(filepath.Join(dir, run.GraphFile)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a graph beside config.json too: %v", err)
			}
			wantComplete(t, verified(t, dir, verify.Options{}), onnxops.AttentionStandard, noGolden, present)
		})
	}
}

// TestWebNames: a graph of other numbers has the name by which transformers.js asks for
// them, is found by it and verified; another name, or a configuration that says another, is
// told of.
func TestWebNames(t *testing.T) {
	runtimePresent(t)
	for name, o := range map[string]onnxops.Options{
		"fp16":  {DType: onnxops.DTypeFloat16},
		"q4":    {Weights: onnxops.WeightsInt4},
		"q8":    {Weights: onnxops.WeightsInt8, Coding: onnxops.Coding{Accuracy: onnxops.AccuracyInt8}},
		"q4f16": {Weights: onnxops.WeightsInt4, DType: onnxops.DTypeFloat16},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "web")
			o.Folder, o.Placement, o.MaxLength = onnxops.FolderWeb, onnxops.PlaceExternalCopy, 64
			plan, err := convert.NewPlan(filepath.Join(fixtures, "golden/llama-gqa"), convert.Options{To: "hope", Output: dir, WebWeights: o.Placement, WebName: name})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := convert.Run(context.Background(), plan, convert.RunOptions{}); err != nil {
				t.Fatal(err)
			}
			e, err := onnxops.Emit(dir, o)
			if err != nil {
				t.Fatal(err)
			}
			file := map[string]string{"fp16": "model_fp16.onnx", "q4": "model_q4.onnx", "q8": "model_quantized.onnx", "q4f16": "model_q4f16.onnx"}[name]
			if want := []string{"onnx/" + file, "onnx/" + file + "_data"}; !slices.Equal(e.Files, want) {
				t.Errorf("files %v, want %v", e.Files, want)
			}
			r := verified(t, dir, verify.Options{OptLevel: oneLevel(), Tokens: 8})
			sound(t, r)
			if c, ok := find(r, "prefill", "ort-cpu"); !ok || c.Verdict != verify.Pass {
				t.Errorf("prefill: made %v, %s: %s", ok, c.Verdict, c.Detail)
			}
			tells := func(want string) {
				t.Helper()
				c, ok := find(verified(t, dir, verify.Options{Tokens: 4, ORTLibrary: noLibrary}), report.CheckMetadata, run.InterpName)
				if !ok || c.Verdict != verify.Fail || !strings.Contains(c.Detail, want) {
					t.Errorf("%s: %q, want a word of %q", c.Verdict, c.Detail, want)
				}
			}
			config := filepath.Join(dir, "config.json")
			raw, err := os.ReadFile(config)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(config, bytes.Replace(raw, []byte(`"dtype": "`+name+`"`), []byte(`"dtype": "fp32"`), 1), 0o666); err != nil {
				t.Fatal(err)
			}
			tells(`has the dtype "fp32": onnx/` + file + " is that of " + name)
			if err := os.Rename(filepath.Join(dir, "onnx", file), filepath.Join(dir, "onnx", "model.onnx")); err != nil {
				t.Fatal(err)
			}
			tells("transformers.js looks for that as " + file)
		})
	}
}

// TestWebFolderTellsTrue: what config.json tells transformers.js of the graph's files
// is held against them.
func TestWebFolderTellsTrue(t *testing.T) {
	for name, damage := range map[string]struct {
		old, new, want string
	}{
		"no key":   {`"transformers.js_config"`, `"license"`, "no transformers.js_config"},
		"dtype":    {`"dtype": "fp32"`, `"dtype": "q8"`, `dtype "q8"`},
		"too few":  {`"model.onnx": 3`, `"model.onnx": 2`, "model.onnx_data_2"},
		"too many": {`"model.onnx": 3`, `"model.onnx": 4`, "onnx/model.onnx_data_3 is not there"},
		"none":     {`"use_external_data_format"`, `"other"`, "none of the 0 files"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := webFolder(t, "golden/llama-sharded-f16", onnxops.PlaceExternal)
			path := filepath.Join(dir, "config.json")
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			changed := bytes.Replace(raw, []byte(damage.old), []byte(damage.new), 1)
			if bytes.Equal(changed, raw) {
				t.Fatalf("no %s in %s", damage.old, raw)
			}
			if err := os.WriteFile(path, changed, 0o666); err != nil {
				t.Fatal(err)
			}
			c, ok := find(verified(t, dir, verify.Options{Tokens: 4}), report.CheckMetadata, run.InterpName)
			if !ok || c.Verdict != verify.Fail || !strings.Contains(c.Detail, damage.want) {
				t.Errorf("%s: %q, want a word of %q", c.Verdict, c.Detail, damage.want)
			}
		})
	}
}

// TestTwoGraphs: which of two graphs is the folder's is not guessed.
func TestTwoGraphs(t *testing.T) {
	dir := t.TempDir()
	if _, err := run.FindGraph(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty folder: %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, names.WebFolder), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(names.WebFolder, run.GraphFile), run.GraphFile} {
		if err := os.WriteFile(filepath.Join(dir, path), nil, 0o666); err != nil {
			t.Fatal(err)
		}
		got, err := run.FindGraph(dir)
		if path == run.GraphFile {
			if err == nil || !strings.Contains(err.Error(), "which is meant") {
				t.Errorf("two graphs: %q, %v", got, err)
			}
		} else if err != nil || got != filepath.Join(dir, path) {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
}
