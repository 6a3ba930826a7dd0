package onnxops

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/posenc/hint"
)

// genAI is genai_config.json as onnxruntime-genai 0.18 reads it.
type genAI struct {
	Model  genAIModel  `json:"model"`
	Search genAISearch `json:"search"`
}

type genAIModel struct {
	BOS           json.RawMessage `json:"bos_token_id,omitempty"`
	ContextLength int             `json:"context_length"`
	Decoder       genAIDecoder    `json:"decoder"`
	EOS           json.RawMessage `json:"eos_token_id,omitempty"`
	PAD           json.RawMessage `json:"pad_token_id,omitempty"`
	Type          string          `json:"type"`
	VocabSize     int             `json:"vocab_size"`
}

type genAIDecoder struct {
	SessionOptions genAISession      `json:"session_options"`
	Filename       string            `json:"filename"`
	HeadSize       int               `json:"head_size"`
	HiddenSize     int               `json:"hidden_size"`
	Inputs         map[string]string `json:"inputs"`
	Outputs        map[string]string `json:"outputs"`
	Heads          int               `json:"num_attention_heads"`
	Layers         int               `json:"num_hidden_layers"`
	KVHeads        int               `json:"num_key_value_heads"`
}

type genAISession struct {
	LogID           string `json:"log_id"`
	ProviderOptions []any  `json:"provider_options"`
}

type genAISearch struct {
	DoSample          bool            `json:"do_sample"`
	MaxLength         int             `json:"max_length"`
	MinLength         int             `json:"min_length"`
	NumBeams          int             `json:"num_beams"`
	ShareBuffer       bool            `json:"past_present_share_buffer"`
	RepetitionPenalty json.RawMessage `json:"repetition_penalty"`
	Temperature       json.RawMessage `json:"temperature"`
	TopK              json.RawMessage `json:"top_k"`
	TopP              json.RawMessage `json:"top_p"`
}

// GenAIConfig returns the genai_config.json with which onnxruntime-genai
// generates text from a folder of the AttentionORT form. Token ids and sampling
// defaults come from generation_config.json beside config.json where there is
// one, else from config.json; where neither names an end-of-text token a text runs
// to its maximum length.
//
// The type is "llama" whatever the family: it tells onnxruntime-genai to run a
// decoder with these inputs and outputs, and others stand for special treatment.
func GenAIConfig(m *family.Model, opts Options) ([]byte, error) {
	opts, err := opts.withDefaults(m)
	if err != nil {
		return nil, err
	}
	if err := m.Beyond(emitted...); err != nil {
		return nil, err
	}
	a := m.Blocks[0].Attn()
	for i, b := range m.Attentions() {
		if b.Heads != a.Heads || b.KVHeads != a.KVHeads || b.QKDim != a.QKDim {
			return nil, unsupported("onnx: layer %d has other heads than layer 0: genai_config.json has one number for all; use "+hint.Attention+" standard", i)
		}
	}
	sources := []*family.Object{m.Config.Object}
	generation, err := generationConfig(m.Config.Path)
	if err != nil {
		return nil, err
	}
	if generation != nil {
		sources = append([]*family.Object{generation}, sources...)
	}
	value := func(key, def string) json.RawMessage {
		for _, o := range sources {
			if o.Has(key) {
				return o.Raw(key)
			}
		}
		if def == "" {
			return nil
		}
		return json.RawMessage(def)
	}
	eos := value("eos_token_id", "")
	first := eos
	var list []json.RawMessage
	if json.Unmarshal(eos, &list) == nil && len(list) > 0 {
		first = list[0]
	}
	sample := bytes.Equal(value("do_sample", "false"), []byte("true"))
	return indented(genAI{
		Model: genAIModel{
			BOS:           value("bos_token_id", ""),
			ContextLength: opts.MaxLength,
			Decoder: genAIDecoder{
				SessionOptions: genAISession{LogID: "onnxruntime-genai", ProviderOptions: []any{}},
				Filename:       ModelFile,
				HeadSize:       a.QKDim,
				HiddenSize:     m.Hidden,
				Inputs: map[string]string{
					"input_ids": names.InputIDs, "attention_mask": names.AttentionMask,
					"past_key_names": names.PastPattern(names.Key), "past_value_names": names.PastPattern(names.Value),
				},
				Outputs: map[string]string{
					"logits":            names.Logits,
					"present_key_names": names.PresentPattern(names.Key), "present_value_names": names.PresentPattern(names.Value),
				},
				Heads: a.Heads, Layers: len(m.Blocks), KVHeads: a.KVHeads,
			},
			EOS:       eos,
			PAD:       value("pad_token_id", string(first)),
			Type:      "llama",
			VocabSize: m.Vocab,
		},
		Search: genAISearch{
			DoSample: sample, MaxLength: opts.MaxLength, NumBeams: 1, ShareBuffer: true,
			RepetitionPenalty: value("repetition_penalty", "1.0"),
			Temperature:       value("temperature", "1.0"),
			TopK:              value("top_k", "50"),
			TopP:              value("top_p", "1.0"),
		},
	})
}

// generationConfig reads generation_config.json beside config.json; nil if there
// is none.
func generationConfig(configPath string) (*family.Object, error) {
	path := filepath.Join(filepath.Dir(configPath), "generation_config.json")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	o, err := family.ParseObject(data)
	if err != nil {
		return nil, fmt.Errorf("onnx: %s: %w", path, err)
	}
	return o, nil
}

func indented(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("onnx: %s: %w", GenAIFile, err)
	}
	return buf.Bytes(), nil
}
