package onnxops

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
)

// specials finds the ids of a model's special tokens: in generation_config.json,
// else in config.json, else by the name that the tokenizer's files give them.
type specials struct {
	files fs.FS
	// by are the configurations that name ids, the first goes first; both keep a
	// token under its key, such as eos_token_id.
	by    []named
	vocab int
	notes []string
}

type named struct {
	name string
	*family.Object
}

func findSpecials(m *family.Model, files fs.FS) (*specials, error) {
	s := &specials{files: files, vocab: m.Vocab}
	generation, err := s.object(generationFile)
	if err != nil {
		return nil, err
	}
	if generation != nil {
		s.by = append(s.by, named{generationFile, generation})
	}
	s.by = append(s.by, named{"config.json", m.Config.Object})
	return s, nil
}

// value is a key of the configurations, or the default.
func (s *specials) value(key, def string) json.RawMessage {
	for _, o := range s.by {
		if o.Has(key) {
			return o.Raw(key)
		}
	}
	return json.RawMessage(def)
}

// ids gives the ids of a kind of token ("eos", "bos", "pad"), nil where nobody
// names one.
func (s *specials) ids(kind string) ([]int64, error) {
	key := kind + "_token_id"
	told, content, err := s.spoken(kind)
	if err != nil {
		return nil, err
	}
	for _, o := range s.by {
		if !o.Has(key) {
			continue
		}
		ids, err := tokenIDs(o.Raw(key))
		if err != nil {
			return nil, fmt.Errorf("onnx: %s: key %q: %w", o.name, key, err)
		}
		ids = slices.DeleteFunc(ids, func(id int64) bool { return !s.real(o.name, key, id) })
		if kind == "eos" && told != nil && !slices.Contains(ids, *told) {
			s.notes = append(s.notes, fmt.Sprintf("the tokenizer ends a text with %q (id %d), which %s of %s does not name: onnxruntime-genai goes on past it; add it there if the model ends with it", content, *told, key, o.name))
		}
		return ids, nil
	}
	if told != nil && s.real("the tokenizer", content, *told) {
		return []int64{*told}, nil
	}
	return nil, nil
}

// real tells whether the model can give a token, and notes one that it cannot.
func (s *specials) real(file, key string, id int64) bool {
	if id >= 0 && id < int64(s.vocab) {
		return true
	}
	if id != -1 { // the usual word for "none"
		s.notes = append(s.notes, fmt.Sprintf("%s: %s: %d is left out of %s: the model has %d tokens, so it never gives that one", file, key, id, GenAIFile, s.vocab))
	}
	return false
}

// tokenIDs reads an id or a list of them.
func tokenIDs(raw json.RawMessage) ([]int64, error) {
	var one int64
	if json.Unmarshal(raw, &one) == nil {
		return []int64{one}, nil
	}
	var list []int64
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("%s: expected the id of a token, or a list of them", raw)
	}
	return list, nil
}

// spoken gives the id of the token that the tokenizer names for a kind, and its
// text; nil where it names none, or one that no file gives an id.
func (s *specials) spoken(kind string) (*int64, string, error) {
	content := ""
	for _, file := range []string{tokenizerConfigFile, specialsFile} {
		o, err := s.object(file)
		if err != nil {
			return nil, "", err
		}
		if o == nil || !o.Has(kind+"_token") {
			continue
		}
		if content, err = tokenText(o.Raw(kind + "_token")); err != nil {
			return nil, "", fmt.Errorf("onnx: %s: key %q: %w", file, kind+"_token", err)
		}
		break
	}
	if content == "" {
		return nil, "", nil
	}
	for _, look := range []func(string) (*int64, error){s.inTokenizer, s.inTokenizerConfig, s.inTable(addedFile), s.inTable(vocabFile), s.inModel} {
		if id, err := look(content); id != nil || err != nil {
			return id, content, err
		}
	}
	s.notes = append(s.notes, fmt.Sprintf("the tokenizer's %s_token %q has no id in %s, %s, %s or %s: write %s_token_id into config.json where it is known", kind, content, tokenizerFile, tokenizerConfigFile, addedFile, vocabFile, kind))
	return nil, "", nil
}

// tokenText reads a token as a text, or as an object with its content.
func tokenText(raw json.RawMessage) (string, error) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text, nil
	}
	var o struct {
		Content *string `json:"content"`
	}
	if json.Unmarshal(raw, &o) == nil && o.Content != nil {
		return *o.Content, nil
	}
	return "", fmt.Errorf("%s: expected the text of a token, or an object with its content", raw)
}

// list spells ids as genai_config.json has them: one as a number.
func list(ids []int64) json.RawMessage {
	var text []string
	for _, id := range ids {
		text = append(text, strconv.FormatInt(id, 10))
	}
	switch len(text) {
	case 0:
		return nil
	case 1:
		return json.RawMessage(text[0])
	}
	return json.RawMessage("[" + strings.Join(text, ", ") + "]")
}
