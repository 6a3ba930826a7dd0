package onnxops

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pecvt/pecvt/convert/family"
)

// TestEndTokens: who names the token that ends a text, and what is said where they
// do not agree or do not know. Ids and names are those of files in use: Llama 3's
// generation_config.json, Qwen's tokenizer_config.json, tokenizers of both kinds of
// vocabulary.
func TestEndTokens(t *testing.T) {
	const (
		added   = `{"version": "1.0", "added_tokens": [{"id": 2, "content": "</s>", "special": true}, {"id": 7, "content": "<|im_end|>"}], "model": {"vocab": {"hello": 5}}}`
		unigram = `{"added_tokens": [], "model": {"type": "Unigram", "vocab": [["<unk>", 0.0], ["<s>", 0.0], ["</s>", -1.5]]}}`
		named   = `{"eos_token": "<|im_end|>"}`
	)
	for _, tt := range []struct {
		name   string
		config string // of config.json
		files  map[string]string
		want   []int64
		note   string // "" is none
	}{
		{"generation_config first", `{"eos_token_id": 1}`, map[string]string{"generation_config.json": `{"eos_token_id": [7, 9]}`}, []int64{7, 9}, ""},
		{"config.json", `{"eos_token_id": 1}`, map[string]string{"generation_config.json": `{"eos_token_id": null}`}, []int64{1}, ""},
		{"tokenizer alone", `{}`, map[string]string{"tokenizer_config.json": named, "tokenizer.json": added}, []int64{7}, ""},
		{"as an object", `{"eos_token_id": null}`, map[string]string{"tokenizer_config.json": `{"eos_token": {"content": "</s>", "lstrip": false}}`, "tokenizer.json": added}, []int64{2}, ""},
		{"special_tokens_map", `{}`, map[string]string{"tokenizer_config.json": `{"eos_token": null}`, "special_tokens_map.json": named, "tokenizer.json": added}, []int64{7}, ""},
		{"decoder", `{}`, map[string]string{"tokenizer_config.json": `{"eos_token": "<|im_end|>", "added_tokens_decoder": {"3": {"content": "x"}, "11": {"content": "<|im_end|>"}}}`}, []int64{11}, ""},
		{"added_tokens.json", `{}`, map[string]string{"tokenizer_config.json": named, "added_tokens.json": `{"<|im_end|>": 12}`}, []int64{12}, ""},
		{"vocab.json", `{}`, map[string]string{"tokenizer_config.json": named, "vocab.json": `{"a": 1, "<|im_end|>": 13}`}, []int64{13}, ""},
		{"vocabulary", `{}`, map[string]string{"tokenizer_config.json": `{"eos_token": "hello"}`, "tokenizer.json": added}, []int64{5}, ""},
		{"list of a unigram", `{}`, map[string]string{"tokenizer_config.json": `{"eos_token": "</s>"}`, "tokenizer.json": unigram}, []int64{2}, ""},
		{"nobody", `{}`, map[string]string{"tokenizer.json": added}, nil, ""},
		{"no id", `{}`, map[string]string{"tokenizer_config.json": `{"eos_token": "<gone>"}`, "tokenizer.json": added}, nil, `the tokenizer's eos_token "<gone>" has no id in tokenizer.json`},
		{"two answers", `{"eos_token_id": 2}`, map[string]string{"tokenizer_config.json": named, "tokenizer.json": added}, []int64{2}, `the tokenizer ends a text with "<|im_end|>" (id 7), which eos_token_id of config.json does not name`},
		{"beyond the vocabulary", `{"eos_token_id": [2, 400]}`, nil, []int64{2}, "config.json: eos_token_id: 400 is left out"},
		{"none", `{"eos_token_id": -1}`, nil, nil, ""},
	} {
		s, err := specialsOf(tt.config, tt.files)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.ids("eos")
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, %v; want %v", tt.name, got, err, tt.want)
		}
		if len(s.notes) > 1 || (len(s.notes) == 1) != (tt.note != "") || tt.note != "" && !strings.HasPrefix(s.notes[0], tt.note) {
			t.Errorf("%s: notes %q, want %q", tt.name, s.notes, tt.note)
		}
	}
}

func specialsOf(config string, files map[string]string) (*specials, error) {
	o, err := family.ParseObject([]byte(config))
	if err != nil {
		return nil, err
	}
	all := fstest.MapFS{}
	for name, text := range files {
		all[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return findSpecials(&family.Model{Vocab: 128, Config: &family.Config{Object: o}}, all)
}

// TestEndTokenErrors: a file that cannot be read is named.
func TestEndTokenErrors(t *testing.T) {
	for _, tt := range []struct {
		config, file, text, want string
	}{
		{`{"eos_token_id": "</s>"}`, "", "", `config.json: key "eos_token_id": "</s>": expected the id of a token`},
		{`{}`, "generation_config.json", `{"eos_token_id": `, "generation_config.json"},
		{`{}`, "tokenizer_config.json", `[]`, "tokenizer_config.json"},
		{`{}`, "tokenizer_config.json", `{"eos_token": 7}`, `tokenizer_config.json: key "eos_token": 7: expected the text`},
		{`{}`, "tokenizer_config.json", `{"eos_token": "x", "added_tokens_decoder": {"one": {"content": "x"}}}`, `key "one": expected the id of a token`},
		{`{}`, "tokenizer.json", `{"added_tokens": {}}`, "tokenizer.json: added_tokens"},
		{`{}`, "added_tokens.json", `{"</s>": "2"}`, "added_tokens.json"},
	} {
		files := map[string]string{"tokenizer_config.json": `{"eos_token": "</s>"}`}
		files[tt.file] = tt.text
		s, err := specialsOf(tt.config, files)
		if err == nil {
			_, err = s.ids("eos")
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %s: error %v, want %q", tt.file, tt.text, err, tt.want)
		}
	}
}
