package verify_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/verify"
)

// TestFiles: what lies beside the graph and decides what a user gets is held
// against what the conversion wrote, without the source.
func TestFiles(t *testing.T) {
	write := func(name, text string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	replace := func(name, old, text string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) { replaceIn(t, filepath.Join(dir, name), old, text) }
	}
	genai := func(old, text string) func(t *testing.T, dir string) { return replace("genai_config.json", old, text) }
	stock := conversion{model: "golden/llama-gqa", to: "hope"}
	ort := conversion{model: "golden/llama-gqa", to: "rope", attention: onnxops.AttentionORT}
	for _, tt := range []struct {
		name   string
		in     conversion
		check  string
		detail string // "" is a pass
		damage func(t *testing.T, dir string)
	}{
		{"as written", stock, "files", "", nil},
		{"an added file", stock, "files", "", write("README.md", "mine")},
		{"an end token", stock, "files", "config.json is not what was converted", replace("config.json", `"eos_token_id": 1`, `"eos_token_id": 9`)},
		{"a recorded size", stock, "files", "pecvt.json says 7", func(t *testing.T, dir string) {
			info, err := os.Stat(filepath.Join(dir, "config.json"))
			if err != nil {
				t.Fatal(err)
			}
			replaceIn(t, filepath.Join(dir, "pecvt.json"), fmt.Sprintf(`"bytes": %d`, info.Size()), `"bytes": 7`)
		}},
		{"a file gone", stock, "files", "generation_config.json is missing", replace("pecvt.json", `"files": [
    {
      "name": "model`, `"files": [{"name": "generation_config.json", "bytes": 3}, {
      "name": "model`)},
		{"a file elsewhere", stock, "files", "expected a file of the folder", replace("pecvt.json", `"files": [
    {
      "name": "model`, `"files": [{"name": "../x", "bytes": 3}, {
      "name": "model`)},
		{"genai as written", ort, "genai", "", nil},
		{"genai: another graph", ort, "genai", `filename is "nope.onnx"`, genai("model.onnx", "nope.onnx")},
		{"genai: layers", ort, "genai", "num_hidden_layers is 1: the model has 2", genai(`"num_hidden_layers": 2`, `"num_hidden_layers": 1`)},
		{"genai: a cache's name", ort, "genai", `the graph has no "past.0.key"`, genai("past_key_values.%d.key", "past.%d.key")},
		{"genai: an input left out", ort, "genai", `"attention_mask" of the graph is not among them`, genai(`"attention_mask": "attention_mask",`, "")},
		{"genai: length", ort, "genai", "context_length is 1048576", genai(`"context_length": `, `"context_length": 1048576, "was": `)},
		{"genai: end token", ort, "genai", "eos_token_id is 99", genai(`"eos_token_id": `, `"eos_token_id": 99, "was": `)},
		{"genai: padding", ort, "genai", "pad_token_id is 99", genai(`"pad_token_id": `, `"pad_token_id": 99, "was": `)},
		{"genai: type", ort, "genai", `type is "qwen2": expected "llama"`, genai(`"type": "llama"`, `"type": "qwen2"`)},
		{"genai: a cache written in place", stock, "genai", "past_present_share_buffer is true: expected false", genai(`"past_present_share_buffer": false`, `"past_present_share_buffer": true`)},
		{"genai: a cache that grows", ort, "genai", "past_present_share_buffer is false: expected true", genai(`"past_present_share_buffer": true`, `"past_present_share_buffer": false`)},
		{"genai: standard as written", stock, "genai", "", nil},
		{"genai: no positions", stock, "genai", `"position_ids" of the graph is not among them`, genai(`,
        "position_ids": "position_ids"`, "")},
		{"genai: longer than the context", stock, "genai", "max_length is 33: context_length is 32", genai(`"max_length": 32`, `"max_length": 33`)},
		{"genai: longer on purpose", stock, "genai", "", genai(`"context_length": 32`, `"context_length": 600`)},
		{"genai: keys wider than values", conversion{model: "golden/bloom", to: "alibi"}, "genai", "head_size is 16: the graph's past_key_values.0.key is 18 wide", write("genai_config.json", `{"model": {"context_length": 8, "vocab_size": 128, "decoder": {"filename": "model.onnx",
"head_size": 16, "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 4, "num_hidden_layers": 2}}, "search": {"max_length": 8}}`)},
		{"genai: an end token of the tokenizer", stock, "genai", "eos_token_id is 1: the checkpoint's is 77", func(t *testing.T, dir string) {
			replaceIn(t, filepath.Join(dir, "config.json"), `"eos_token_id": 1`, `"eos_token_id": null`)
			write("tokenizer_config.json", `{"eos_token": "<end>"}`)(t, dir)
			write("tokenizer.json", `{"added_tokens": [{"id": 77, "content": "<end>"}], "model": {"vocab": {"<end>": 3}}}`)(t, dir)
		}},
		{"genai: no JSON", ort, "genai", "not JSON of its kind", write("genai_config.json", "{")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := tt.in.write(t)
			if tt.damage != nil {
				tt.damage(t, dir)
			}
			r := verified(t, dir, verify.Options{ORTLibrary: noLibrary})
			c, ok := verify.Check{}, false
			for _, x := range r.Checks {
				if x.Name == tt.check {
					c, ok = x, true
				}
			}
			want := verify.Pass
			if tt.detail != "" {
				want = verify.Fail
			}
			if !ok || c.Verdict != want || !strings.Contains(c.Detail, tt.detail) {
				t.Errorf("%s: %s %q, want %s and %q", tt.check, c.Verdict, c.Detail, want, tt.detail)
			}
		})
	}
}

// TestWrittenWeights: a calibrated model's queries are no source's; the hash of
// what was written finds a change in them.
func TestWrittenWeights(t *testing.T) {
	dir := conversion{model: "golden/llama-gqa", to: "hope", layout: "partial", hash: true}.write(t)
	if c, ok := find(verified(t, dir, verify.Options{ORTLibrary: noLibrary}), "files", "ref"); !ok || c.Verdict != verify.Pass {
		t.Fatalf("as written: %s %s", c.Verdict, c.Detail)
	}
	path := filepath.Join(dir, "model.safetensors")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)-5] ^= 1
	if err := os.WriteFile(path, raw, 0o666); err != nil {
		t.Fatal(err)
	}
	c, ok := find(verified(t, dir, verify.Options{ORTLibrary: noLibrary}), "files", "ref")
	if !ok || c.Verdict != verify.Fail || !strings.Contains(c.Detail, "model.safetensors is not what was converted") {
		t.Errorf("%s %s", c.Verdict, c.Detail)
	}
}

// TestCopiedWeights: one bit deep inside a tensor that a conversion copied or wrote anew is
// found without any hash, by the tensor's name; of links the report says that nothing was
// compared, unless a hash was asked for.
func TestCopiedWeights(t *testing.T) {
	for _, c := range []conversion{{model: "golden/llama-gqa", to: "hope"}, {model: "golden/llama-gqa", to: "hope", layout: "partial"}} {
		dir := c.write(t)
		if c, ok := find(verified(t, dir, verify.Options{ORTLibrary: noLibrary}), "files", "ref"); !ok || c.Verdict != verify.Pass || c.Detail != "" {
			t.Fatalf("as written: %s %s", c.Verdict, c.Detail)
		}
		path := filepath.Join(dir, "model.safetensors")
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f, err := safetensors.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		const name = "model.layers.1.mlp.down_proj.weight"
		info, ok := f.Lookup(name)
		at := f.DataStart() + (info.Begin+info.End)/2
		f.Close()
		if !ok {
			t.Fatalf("no tensor %s", name)
		}
		raw[at] ^= 1 // the last bit of a number
		if err := os.WriteFile(path, raw, 0o666); err != nil {
			t.Fatal(err)
		}
		found, ok := find(verified(t, dir, verify.Options{ORTLibrary: noLibrary}), "files", "ref")
		if !ok || found.Verdict != verify.Fail || !strings.Contains(found.Detail, `tensor "`+name+`" does not hold the bytes that were written`) {
			t.Errorf("%+v: %s %s", c, found.Verdict, found.Detail)
		}
	}
	for _, hash := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "linked")
		plan, err := convert.NewPlan(filepath.Join(fixtures, "golden", "llama-gqa"), convert.Options{To: "hope", Link: true, Hash: hash, Output: dir})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := convert.Run(t.Context(), plan, convert.RunOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := onnxops.Emit(dir, onnxops.Options{}); err != nil {
			t.Fatal(err)
		}
		r := verified(t, dir, verify.Options{ORTLibrary: noLibrary})
		c, ok := find(r, "files", "ref")
		if said := strings.Contains(c.Detail, "model.safetensors were not compared"); !ok || c.Verdict != verify.Pass || said == hash {
			t.Errorf("links, hash %v: %s %s", hash, c.Verdict, c.Detail)
		}
		var text strings.Builder
		if err := r.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(text.String(), "not read   the bytes of model.safetensors") == hash {
			t.Errorf("links, hash %v:\n%s", hash, text.String())
		}
	}
}

// TestGGUFFile: the sums of a GGUF file are compared beside the folder that is made of
// it; a file without sums has no such check.
func TestGGUFFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.gguf")
	plan, err := convert.NewPlan(filepath.Join("..", "testdata", "golden", "llama-gqa"), convert.Options{To: "rope", Output: path})
	if err == nil {
		_, err = convert.Run(context.Background(), plan, convert.RunOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		damage func([]byte) []byte
		want   verify.Verdict
		says   string
	}{
		"as written": {func(b []byte) []byte { return b }, verify.Pass, ""},
		"a bit":      {func(b []byte) []byte { b[len(b)-1000] ^= 1; return b }, verify.Fail, "does not hold the bytes that were written"},
		"no sums":    {func(b []byte) []byte { return bytes.Replace(b, []byte("pecvt.crc32c"), []byte("other.crc32c"), 1) }, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir, path := filepath.Join(t.TempDir(), "folder"), filepath.Join(t.TempDir(), "model.gguf")
			if err := os.WriteFile(path, c.damage(bytes.Clone(raw)), 0o666); err != nil {
				t.Fatal(err)
			}
			if _, err := convert.Import(context.Background(), path, dir, convert.ImportOptions{NoTokenizer: true}); err != nil {
				t.Fatal(err)
			}
			if _, err := onnxops.Emit(dir, onnxops.Options{}); err != nil {
				t.Fatal(err)
			}
			r := verified(t, dir, verify.Options{ORTLibrary: noLibrary, File: path})
			got, ok := find(r, "files", "ref")
			if ok != (c.want != "") || got.Verdict != c.want || !strings.Contains(got.Detail, c.says) {
				t.Errorf("%v: %s %q, want %s %q", ok, got.Verdict, got.Detail, c.want, c.says)
			}
			if ok && got.Against != "model.gguf" {
				t.Errorf("against %s", got.Against)
			}
		})
	}
}
