package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/verify/ort/orttest"
)

// fieldCase is a small input from a public report, with what is right.
type fieldCase struct {
	// refused are parts of the one message of exit code 4; nil: it is computed.
	refused []string
	// warned is a part of a warning that every verb shows; empty is none.
	warned string
}

// fieldCases has the folders of testdata/field. Each README says where the input
// is from and what is right; golden.safetensors holds stock transformers' logits.
var fieldCases = map[string]fieldCase{
	"adapter-beside-base":       {refused: []string{"adapter_config.json stands beside the model", "merge", "move adapter_config.json"}},
	"adapter-only":              {refused: []string{"this is an adapter (LORA)", "merge it into its base"}},
	"additional-chat-templates": {},
	"gptq-side-config":          {refused: []string{"model.safetensors: quantised (GPTQ)", `.qweight" has dtype I32`, "quantize_config.json", "unquantised checkpoint"}},
	"index-lists-tied-head":     {},
	"is-causal-false":           {refused: []string{`"is_causal" is false`, "both directions", "causal models alone"}},
	"kv-cache-scales":           {warned: "self_attn.k_scale"},
	"mlx-4bit":                  {refused: []string{"quantised (MLX)", "dtype U32", `"quantization"`, "unquantised checkpoint"}},
	"mtp-tensors":               {warned: "mtp.fc.weight"},
	"neox-stale-rope-theta":     {warned: "rotary_emb_base is 500000 and rope_theta is 10000"},
	"no-model-prefix":           {},
	"nvfp4-side-config":         {warned: "stored scales of activations are passed over"},
	"quant-config-leftover":     {warned: "is a leftover"},
	"shared-rotary-buffer":      {},
	"vlm-language-model-prefix": {refused: []string{`"model.language_model.…" where "model.…" is expected`, "rename"}},
	"yarn-attn-factor":          {refused: []string{"attn_factor", "loaders disagree", `write "attention_factor"`}},
	"yarn-finetuned-key":        {warned: "rope_scaling.finetuned (true)"},
	"yarn-truncate-null":        {warned: "truncate is null"},
}

// TestField runs the inputs as a user would: those that are right are stock's
// logits in every runner, the others end in exit code 4 with what can be done.
func TestField(t *testing.T) {
	orttest.Require(t)
	root := filepath.Join("..", "..", "testdata", "field")
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(fieldCases) {
		t.Errorf("%d folders in %s, %d cases", len(entries), root, len(fieldCases))
	}
	for _, e := range entries {
		c, known := fieldCases[e.Name()]
		if !known {
			t.Errorf("%s has no case", e.Name())
			continue
		}
		t.Run(e.Name(), func(t *testing.T) {
			t.Parallel()
			c.check(t, filepath.Join(root, e.Name()))
		})
	}
}

func (c fieldCase) check(t *testing.T, model string) {
	out := filepath.Join(t.TempDir(), "out")
	for _, args := range [][]string{{"inspect", model}, {"plan", model, "--to", "hope"}, {"export", model, "-o", out}, {"convert", model, "--to", "hope", "-o", out + "-hope"}} {
		code, text := command(t, args...)
		if c.refused != nil {
			if code != exitUnsupported || slices.ContainsFunc(c.refused, func(part string) bool { return !strings.Contains(text, part) }) {
				t.Errorf("%s: exit code %d, %s: want %q in it", args[0], code, text, c.refused)
			}
			continue
		}
		if code != exitOK || !strings.Contains(text, c.warned) {
			t.Fatalf("%s: exit code %d, want %q in %s", args[0], code, c.warned, text)
		}
	}
	if c.refused != nil {
		return
	}
	args := []string{"verify", out, "--tokens", "16", "--opt-level", "all"}
	if golden := filepath.Join(model, "golden.safetensors"); exists(golden) {
		args = append(args, "--golden", golden)
	}
	if code, text := command(t, args...); code != exitOK || !strings.Contains(text, c.warned) && c.warned != "is a leftover" {
		t.Errorf("verify: exit code %d, want %q in %s", code, c.warned, text)
	}
	if code, text := command(t, "verify", out+"-hope", "--tokens", "16", "--opt-level", "all", "--against", model); code != exitOK {
		t.Errorf("verify of the conversion: exit code %d: %s", code, text)
	}
	var in struct{ Warnings []string }
	if _, text := command(t, "inspect", model, "--json"); json.Unmarshal([]byte(text), &in) != nil || c.warned != "" && !strings.Contains(strings.Join(in.Warnings, "\n"), c.warned) {
		t.Errorf("inspect --json: %s", text)
	}
	if beside := filepath.Join(model, "additional_chat_templates", "tool_use.jinja"); exists(beside) {
		want, err := os.ReadFile(beside)
		got, err2 := os.ReadFile(filepath.Join(out+"-hope", "additional_chat_templates", "tool_use.jinja"))
		if err != nil || err2 != nil || !bytes.Equal(got, want) {
			t.Errorf("the chat template did not come along: %v, %v", err, err2)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// command runs pecvt and gives both outputs as one text.
func command(t *testing.T, args ...string) (code int, text string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(context.Background(), args, &out, &errs)
	return code, out.String() + errs.String()
}
