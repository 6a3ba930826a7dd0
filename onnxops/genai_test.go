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
    "context_length": 48,
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
    "max_length": 48,
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
