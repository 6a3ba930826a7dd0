package onnxops

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
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
// generates text from a folder of the form that opts choose. Token ids and
// sampling defaults come from generation_config.json beside config.json where
// there is one, else from config.json; tokens that neither names from the
// tokenizer's files. Texts may be as long as the model's max_position_embeddings,
// or the graph's tables where those are shorter.
//
// The type is "llama" whatever the family: it tells onnxruntime-genai to run a
// decoder with these inputs and outputs, and others stand for special treatment.
//
// An error wraps posenc.ErrUnsupported where onnxruntime-genai cannot run the
// model as config.json has it; what a form of graph makes of it, [Write] looks at.
func GenAIConfig(m *family.Model, opts Options) ([]byte, error) {
	opts, err := opts.withDefaults(m)
	if err != nil {
		return nil, err
	}
	if err := m.Beyond(emitted...); err != nil {
		return nil, err
	}
	text, _, err := genAIConfig(m, os.DirFS(filepath.Dir(m.Config.Path)), opts)
	return text, err
}

// genAIConfig does so, and notes what its reader should know.
func genAIConfig(m *family.Model, files fs.FS, opts Options) (text []byte, notes []string, err error) {
	if err := oneHeadSize(m); err != nil {
		return nil, nil, err
	}
	s, err := findSpecials(m, files)
	if err != nil {
		return nil, nil, err
	}
	ids := map[string][]int64{}
	for _, kind := range []string{"eos", "bos", "pad"} {
		if ids[kind], err = s.ids(kind); err != nil {
			return nil, nil, err
		}
	}
	pad := ids["pad"]
	if len(pad) == 0 {
		pad = ids["eos"]
	}
	if len(ids["eos"]) == 0 {
		ends := int64(0)
		if len(pad) > 0 {
			ends = pad[0]
		}
		s.notes = append(s.notes, fmt.Sprintf("no token that ends a text is named by %s, config.json or the tokenizer: onnxruntime-genai 0.18 ends one at token %d (pad_token_id, else 0); write eos_token_id into config.json", generationFile, ends))
	}
	inputs := map[string]string{
		"input_ids": names.InputIDs, "attention_mask": names.AttentionMask,
		"past_key_names": names.PastPattern(names.Key), "past_value_names": names.PastPattern(names.Value),
	}
	if opts.Attention == AttentionStandard {
		inputs["position_ids"] = names.PositionIDs
	}
	length := opts.MaxLength
	if m.MaxPositions > 0 {
		length = min(length, m.MaxPositions)
	}
	a := m.FirstAttn()
	text, err = indented(genAI{
		Model: genAIModel{
			BOS:           list(first(ids["bos"])),
			ContextLength: length,
			Decoder: genAIDecoder{
				SessionOptions: genAISession{LogID: "onnxruntime-genai", ProviderOptions: []any{}},
				Filename:       ModelFile,
				HeadSize:       a.QKDim,
				HiddenSize:     m.Hidden,
				Inputs:         inputs,
				Outputs: map[string]string{
					"logits":            names.Logits,
					"present_key_names": names.PresentPattern(names.Key), "present_value_names": names.PresentPattern(names.Value),
				},
				Heads: a.Heads, Layers: len(m.Blocks), KVHeads: a.KVHeads,
			},
			EOS:       list(ids["eos"]),
			PAD:       list(first(pad)),
			Type:      "llama",
			VocabSize: m.Vocab,
		},
		Search: genAISearch{
			DoSample: bytes.Equal(s.value("do_sample", "false"), []byte("true")), MaxLength: length, NumBeams: 1,
			// GroupQueryAttention writes into the cache that it reads; Attention
			// gives a longer one back
			ShareBuffer:       opts.Attention == AttentionORT,
			RepetitionPenalty: s.value("repetition_penalty", "1.0"),
			Temperature:       s.value("temperature", "1.0"),
			TopK:              s.value("top_k", "50"),
			TopP:              s.value("top_p", "1.0"),
		},
	})
	return text, s.notes, err
}

// first is at most one of the ids: onnxruntime-genai takes a list for no other
// token than the one that ends a text.
func first(ids []int64) []int64 { return ids[:min(1, len(ids))] }

// oneHeadSize says where genai_config.json, which has one number of each kind for
// all layers, cannot tell of a model.
func oneHeadSize(m *family.Model) error {
	a := m.FirstAttn()
	for i := range m.Blocks {
		b := m.Blocks[i].Attn()
		if b == nil {
			return unsupported("onnx: layer %d has no attention: "+GenAIFile+" tells of keys and values in every layer", i)
		}
		if b.KVLayer != nil {
			return unsupported("onnx: layer %d meets the keys and values of layer %d: "+GenAIFile+" tells of a cache in every layer", i, *b.KVLayer)
		}
		if a == nil || b.Heads != a.Heads || b.KVHeads != a.KVHeads || b.QKDim != a.QKDim {
			return unsupported("onnx: layer %d has other heads than layer 0: "+GenAIFile+" has one number for all", i)
		}
	}
	return nil
}

// genAIRuns says what of a graph onnxruntime-genai 0.18 gives nothing to, or has no
// room for: it feeds tokens, mask, positions, and keys and values of one width.
func genAIRuns(m *family.Model, model *onnxpb.ModelProto) error {
	fed := map[string]bool{names.InputIDs: true, names.AttentionMask: true, names.PositionIDs: true}
	caches := map[string]bool{}
	for i := range m.Blocks {
		caches[names.Past(i, names.Key)], caches[names.Past(i, names.Value)] = true, true
	}
	size := int64(m.FirstAttn().QKDim)
	for _, in := range model.GetGraph().GetInput() {
		name := in.GetName()
		if fed[name] {
			continue
		}
		if !caches[name] {
			return unsupported("the graph carries %s from call to call, which onnxruntime-genai does not", name)
		}
		dims := in.GetType().GetTensorType().GetShape().GetDim()
		if width := dims[len(dims)-1].GetDimValue(); width != size {
			advice := ""
			if !gated(m) {
				advice = "; " + hint.Bias + " mask leaves keys as they are"
			}
			return unsupported("%s is %d wide and a head %d: onnxruntime-genai has one size for keys and values%s", name, width, size, advice)
		}
	}
	return nil
}

// gated tells of biases whose gates a graph carries from call to call, whatever its
// form.
func gated(m *family.Model) bool {
	return slices.ContainsFunc(m.Features(), func(f family.Feature) bool {
		return f == family.BiasGated || f == family.BiasForget || f == family.BiasPath
	})
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
