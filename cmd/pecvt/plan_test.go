package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/pecvt/pecvt/convert"
)

// TestPlanIsWhatConvertWrites: every file that plan announces exists after
// convert with exactly that size, and no other does.
func TestPlanIsWhatConvertWrites(t *testing.T) {
	golden := filepath.Join("..", "..", "testdata", "golden")
	stories := filepath.Join("..", "..", "testdata", "models", "stories260K")
	mixed := filepath.Join(t.TempDir(), "mixed")
	var stderr bytes.Buffer
	if code := run(context.Background(), []string{"convert", stories, "--to", "grape-m:mixed", "--no-onnx", "-o", mixed, "-q"}, &bytes.Buffer{}, &stderr); code != exitOK {
		t.Fatalf("convert: exit %d: %s", code, stderr.String())
	}
	for name, args := range map[string][]string{
		"native":        {stories, "--to", "hope"},
		"partial":       {stories, "--to", "hope", "--layout", "partial"},
		"ab3":           {filepath.Join(golden, "llama-gqa"), "--to", "hope-ab3"},
		"sharded":       {filepath.Join(golden, "llama-sharded-f16"), "--to", "hope", "--placement", "external-copy"},
		"resharded":     {filepath.Join(golden, "llama-sharded-f16"), "--to", "hope", "--max-shard-size", "30kB"},
		"ort":           {filepath.Join(golden, "qwen3"), "--to", "hope", "--attention", "ort"},
		"embedded":      {filepath.Join(golden, "qwen2"), "--to", "nope", "--placement", "embed"},
		"basis":         {stories, "--to", "grape-m:basis"},
		"mixed":         {stories, "--to", "grape-m:mixed"},
		"kerple":        {stories, "--to", "hybrid:kerple:log"},
		"block kept":    {mixed, "--to", "hybrid:grape-a"},
		"block moved":   {mixed, "--to", "hybrid:kerple:power", "--max-shard-size", "30kB"},
		"block folded":  {mixed, "--to", "grape-m"},
		"without graph": {filepath.Join(golden, "mistral"), "--to", "hope", "--no-onnx"},
	} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			args := append(args, "-o", out, "--json", "-q")
			var stdout, stderr bytes.Buffer
			if code := run(context.Background(), append([]string{"plan"}, args...), &stdout, &stderr); code != exitOK {
				t.Fatalf("plan: exit %d: %s", code, stderr.String())
			}
			var p convert.Plan
			if err := json.Unmarshal(stdout.Bytes(), &p); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(out); !os.IsNotExist(err) {
				t.Fatalf("plan wrote %s", out)
			}
			if code := run(context.Background(), append([]string{"convert"}, args...), &stdout, &stderr); code != exitOK {
				t.Fatalf("convert: exit %d: %s", code, stderr.String())
			}
			sameFiles(t, p, out)
		})
	}
}

// sameFiles holds what a folder has to what was planned: each file with its size, and no
// other.
func sameFiles(t *testing.T, p convert.Plan, out string) {
	t.Helper()
	var total int64
	for _, f := range p.Files {
		st, err := os.Stat(filepath.Join(out, f.Name))
		if err != nil {
			t.Errorf("planned and not written: %v", err)
			continue
		}
		if st.Size() != f.Bytes {
			t.Errorf("%s: planned with %d bytes, written with %d", f.Name, f.Bytes, st.Size())
		}
		total += st.Size()
	}
	entries, err := os.ReadDir(out)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(p.Files) || total != p.Bytes {
		t.Errorf("%d files of %d bytes written, %d of %d planned", len(entries), total, len(p.Files), p.Bytes)
	}
}
