package onnxops

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/family"
)

// TestGenAIConfig pins what onnxruntime-genai 0.18 generated text from, by hand,
// for SmolLM2-135M (same keys, other sizes).
func TestGenAIConfig(t *testing.T) {
	m, _ := load(t, "golden/llama-gqa")
	got, err := GenAIConfig(m, Options{Attention: AttentionORT, MaxLength: 48})
	if err != nil {
		t.Fatal(err)
	}
	want := `{
  "model": {
    "bos_token_id": 0,
    "context_length": 32,
    "decoder": {
      "session_options": {
        "log_id": "onnxruntime-genai",
        "provider_options": []
      },
      "filename": "model.onnx",
      "head_size": 16,
      "hidden_size": 64,
      "inputs": {
        "attention_mask": "attention_mask",
        "input_ids": "input_ids",
        "past_key_names": "past_key_values.%d.key",
        "past_value_names": "past_key_values.%d.value"
      },
      "outputs": {
        "logits": "logits",
        "present_key_names": "present.%d.key",
        "present_value_names": "present.%d.value"
      },
      "num_attention_heads": 4,
      "num_hidden_layers": 2,
      "num_key_value_heads": 2
    },
    "eos_token_id": 1,
    "pad_token_id": 1,
    "type": "llama",
    "vocab_size": 128
  },
  "search": {
    "do_sample": false,
    "max_length": 32,
    "min_length": 0,
    "num_beams": 1,
    "past_present_share_buffer": true,
    "repetition_penalty": 1.0,
    "temperature": 1.0,
    "top_k": 50,
    "top_p": 1.0
  }
}
`
	if string(got) != want {
		t.Errorf("genai_config.json is\n%s\nexpected\n%s", got, want)
	}
}

// TestGenAIConfigOfStandard: positions are an input, and no cache is written in
// place; a text is no longer than the tables.
func TestGenAIConfigOfStandard(t *testing.T) {
	m, _ := load(t, "golden/llama-gqa")
	form := func(o Options) string {
		text, err := GenAIConfig(m, o)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	want := form(Options{Attention: AttentionORT})
	for _, r := range [][2]string{
		{`"past_value_names": "past_key_values.%d.value"`, `"past_value_names": "past_key_values.%d.value",
        "position_ids": "position_ids"`},
		{`"past_present_share_buffer": true`, `"past_present_share_buffer": false`},
	} {
		if strings.Count(want, r[0]) != 1 {
			t.Fatalf("%s occurs %d times", r[0], strings.Count(want, r[0]))
		}
		want = strings.Replace(want, r[0], r[1], 1)
	}
	if got := form(Options{}); got != want {
		t.Errorf("genai_config.json is\n%s\nexpected\n%s", got, want)
	}
	if got := form(Options{MaxLength: 20}); !strings.Contains(got, `"context_length": 20`) || !strings.Contains(got, `"max_length": 20`) {
		t.Errorf("tables of 20 positions:\n%s", got)
	}
}

// TestGenAIFits: where the graph is none for onnxruntime-genai there is no
// genai_config.json, and a note says why.
func TestGenAIFits(t *testing.T) {
	for _, tt := range []struct {
		model, bias, why string
	}{
		{"bloom", BiasLowered, "past_key_values.0.key is 18 wide and a head 16: onnxruntime-genai has one size for keys and values; Options.Bias mask leaves keys as they are"},
		{"bloom", BiasMask, ""},
		{"gpt-neox", "", ""},
		{"grape-ap-v1", "", "the graph carries past_key_values.0.path"},
		{"grape-fox", BiasMask, "the graph carries past_state.0."},
		{"grape-ap-v1-kvshift", "", "the graph carries past_state.0."},
	} {
		m, ckpt := load(t, "golden/"+tt.model)
		dir := t.TempDir()
		w, err := write(dir, m, ckpt, Options{Bias: tt.bias, MaxLength: 64})
		if err != nil {
			t.Errorf("%s: %v", tt.model, err)
			continue
		}
		files, notes := w.files, w.notes
		if has := slices.Contains(files, GenAIFile); has != (tt.why == "") {
			t.Errorf("%s %s: files %v, notes %q", tt.model, tt.bias, files, notes)
		}
		if tt.why != "" && (len(notes) != 1 || !strings.HasPrefix(notes[0], "no genai_config.json: "+tt.why) || strings.Contains(notes[0], "unsupported")) {
			t.Errorf("%s %s: notes %q, expected %q", tt.model, tt.bias, notes, tt.why)
		}
	}
}

// TestGenerationConfig: generation_config.json beside config.json goes first.
func TestGenerationConfig(t *testing.T) {
	m, _ := load(t, "golden/llama-gqa")
	dir := t.TempDir()
	moved := *m
	moved.Config = &family.Config{Object: m.Config.Object, Path: filepath.Join(dir, "config.json")}
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(dir, "generation_config.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"eos_token_id": [7, 9], "do_sample": true, "temperature": 0.6, "top_k": null}`)
	raw, err := GenAIConfig(&moved, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Model struct {
			EOS []int `json:"eos_token_id"`
			PAD int   `json:"pad_token_id"`
		} `json:"model"`
		Search struct {
			DoSample    bool    `json:"do_sample"`
			Temperature float64 `json:"temperature"`
			TopK        int     `json:"top_k"`
		} `json:"search"`
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Model.EOS, []int{7, 9}) || got.Model.PAD != 1 || !got.Search.DoSample || got.Search.Temperature != 0.6 || got.Search.TopK != 50 {
		t.Errorf("%+v", got)
	}
	write(`{"eos_token_id": `)
	if _, err := GenAIConfig(&moved, Options{}); err == nil || !strings.Contains(err.Error(), "generation_config.json") {
		t.Errorf("a broken generation_config.json: error %v", err)
	}
}
