package verify_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify"
)

// TestInterface: an output that is missing, of another type or shape is one
// failure, and the graph is not run.
func TestInterface(t *testing.T) {
	for _, tt := range []struct {
		name   string
		plant  func(t *testing.T, g *graphOf)
		detail string
	}{
		{"logits renamed", func(t *testing.T, g *graphOf) { g.output(t, "logits").Name = "scores" }, `output "logits" is missing; nothing reads the output "scores"`},
		{"a present renamed", func(t *testing.T, g *graphOf) { g.output(t, "present.1.key").Name = "present.1.keys" }, `output "present.1.key" is missing, which the next call takes as "past_key_values.1.key"`},
		{"logits of another type", func(t *testing.T, g *graphOf) {
			g.output(t, "logits").Type.GetTensorType().ElemType = int32(onnxpb.TensorProto_FLOAT16)
		}, `output "logits" is FLOAT16: expected FLOAT`},
		{"a present without heads", func(t *testing.T, g *graphOf) {
			s := g.output(t, "present.0.value").Type.GetTensorType().Shape
			s.Dim = s.Dim[1:]
		}, `output "present.0.value" has 3 dimensions: expected 4`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := hopeLlama.write(t)
			graphFault(tt.plant)(t, dir)
			extract := filepath.Join(t.TempDir(), "repro")
			r := verified(t, dir, verify.Options{Extract: extract, Curves: true})
			failed := 0
			for _, c := range r.Checks {
				if c.Verdict == verify.Fail && c.Name != "genai" { // which holds the same names
					failed++
				}
				if c.Name == "load" && c.Verdict != verify.Skipped || c.Name == "prefill" {
					t.Errorf("%s of %s: %s %s", c.Name, c.Runner, c.Verdict, c.Detail)
				}
			}
			c, _ := find(r, "interface", "interp")
			if failed != 1 || c.Verdict != verify.Fail || !strings.Contains(c.Detail, tt.detail) || r.Verdict != verify.Fail {
				t.Errorf("%d failures, verdict %s, interface %s: %s", failed, r.Verdict, c.Verdict, c.Detail)
			}
			if r.Bisect == nil || !strings.Contains(r.Bisect.Summary, "see the check interface") {
				t.Errorf("bisect: %+v", r.Bisect)
			}
			if _, err := os.Stat(extract); err == nil {
				t.Error("a repro of nothing")
			}
			var text strings.Builder
			if err := r.WriteText(&text); err != nil || strings.Contains(text.String(), "0 tokens") {
				t.Errorf("%v\n%s", err, text.String())
			}
		})
	}
}

// TestMetadata: what the folder's files say is compared without a source too,
// under either name of the encoding.
func TestMetadata(t *testing.T) {
	encoding := func(name string) func(*testing.T, string) {
		return graphFault(func(_ *testing.T, g *graphOf) {
			for _, p := range g.model.MetadataProps {
				if p.GetKey() == "pecvt.encoding" {
					p.Value = name
				}
			}
		})
	}
	alone := func(t *testing.T, dir string) {
		if err := os.Remove(filepath.Join(dir, "pecvt.json")); err != nil {
			t.Fatal(err)
		}
	}
	both := func(list ...func(*testing.T, string)) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			for _, f := range list {
				f(t, dir)
			}
		}
	}
	for _, tt := range []struct {
		name, detail string
		plant        func(*testing.T, string)
	}{
		{"the name asked for", "", encoding("hope")},
		{"config.json's name", "", encoding("llama3")},
		{"another", `its encoding is "yarn", pecvt.json "hope", config.json "llama3"`, encoding("yarn")},
		{"no manifest", "", both(alone, encoding("hope"))},
		{"no such encoding", `its encoding is "hopes"`, both(alone, encoding("hopes"))},
		{"the length", "max_position_embeddings is 64 in config.json: pecvt.json says 32", edited("config.json", `"max_position_embeddings": 32`, `"max_position_embeddings": 64`)},
		{"the length, by pecvt.json", "max_position_embeddings is 32 in config.json: pecvt.json says 33", edited("pecvt.json", `"max_positions": 32`, `"max_positions": 33`)},
		{"the factor", "the attention factor is 1 by config.json, 2 by pecvt.json", edited("pecvt.json", `"attention_factor_after": 1`, `"attention_factor_after": 2`)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := hopeLlama.write(t)
			tt.plant(t, dir)
			c, ok := find(verified(t, dir, verify.Options{ORTLibrary: noLibrary}), "metadata", "interp")
			want := verify.Pass
			if tt.detail != "" {
				want = verify.Fail
			}
			if !ok || c.Verdict != want || !strings.Contains(c.Detail, tt.detail) {
				t.Errorf("%s: %s", c.Verdict, c.Detail)
			}
		})
	}
}

// edited replaces the only occurrence of a text in a file.
func edited(name, old, with string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		path := filepath.Join(dir, name)
		data, err := os.ReadFile(path)
		if err != nil || strings.Count(string(data), old) != 1 {
			t.Fatalf("%s: %q: %v", name, old, err)
		}
		if err := os.WriteFile(path, []byte(strings.Replace(string(data), old, with, 1)), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}
