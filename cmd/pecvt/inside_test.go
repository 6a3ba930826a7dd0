package main

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Every command that tells of a language model inside says whose it is, in words and as
// the key inside_of; of one that stands alone none does.
func TestInsideOf(t *testing.T) {
	dir := t.TempDir()
	for model, wrapper := range map[string]string{"qwen2_vl": "qwen2_vl", "fuyu": "fuyu", "glm4": ""} {
		source, out := filepath.Join("..", "..", "testdata", "families", model), filepath.Join(dir, model)
		for _, args := range [][]string{
			{"inspect", source},
			{"plan", source, "--to", "hope"},
			{"convert", source, "--to", "hope", "-o", out + "-hope", "--no-onnx", "--force"},
			{"export", source, "-o", out, "--force"},
			{"verify", out, "--tokens", "4"},
		} {
			text, object := told(t, args), told(t, append(slices.Clone(args), "--json"))
			if line := "\ninside of  " + wrapper + ": all of this is of its language model\n"; strings.Contains(text, line) != (wrapper != "") || strings.Contains(text, "inside of ") != (wrapper != "") {
				t.Errorf("%s %s: does not say %q rightly:\n%s", args[0], model, line, text)
			}
			var keys struct {
				InsideOf string `json:"inside_of"`
			}
			if err := json.Unmarshal([]byte(object), &keys); err != nil || keys.InsideOf != wrapper {
				t.Errorf("%s %s --json: inside_of %q, want %q (%v)", args[0], model, keys.InsideOf, wrapper, err)
			}
		}
	}
}

// told is what a command writes on standard output; without ONNX Runtime a verification
// is incomplete, and says the same.
func told(t *testing.T, args []string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(context.Background(), args, &out, &errs); code != exitOK && (args[0] != "verify" || code != exitIncomplete) {
		t.Fatalf("%v: exit code %d: %s", args, code, errs.String())
	}
	return out.String()
}
