package vocab

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/pecvt/pecvt/convert/gguf"
	"github.com/pecvt/pecvt/posenc"
)

// Restore is the other way: the files of a Hugging Face folder for the tokenizer of
// a GGUF file, by their names. They are tokenizer.json, tokenizer_config.json with
// the chat templates, and generation_config.json with the tokens that end a text.
// Token ids stay. A file without a tokenizer, or with the model "none", gives none.
func Restore(h *gguf.Header) (map[string][]byte, error) {
	r := &restored{h: h}
	model, ok := r.text("model")
	if !ok || model == "none" {
		return nil, r.err
	}
	if err := r.vocabulary(); err != nil {
		return nil, err
	}
	var file map[string]any
	var err error
	switch model {
	case "gpt2":
		file, err = r.bytePairs()
	case "llama":
		file, err = r.pieces()
	default:
		err = fmt.Errorf("tokenizer.ggml.model %q: %w; known are gpt2 and llama", model, posenc.ErrUnsupported)
	}
	if err = errors.Join(r.err, err); err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for name, value := range map[string]any{"tokenizer.json": file, "tokenizer_config.json": r.config(), "generation_config.json": r.generation()} {
		text, err := encode(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out[name] = text
	}
	return out, r.err
}

// encode spells JSON without the escapes that are for HTML.
func encode(value any) ([]byte, error) {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	err := e.Encode(value)
	return buf.Bytes(), err
}

// restored is a tokenizer under way to its files.
type restored struct {
	h      *gguf.Header
	tokens []string
	types  []tokenType
	ids    map[string]int // of the tokens that a text can have
	addBOS bool
	addEOS bool
	err    error
}

func (r *restored) fail(kv gguf.KV, err error) {
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("%s: %w: %w", kv.Key, err, gguf.ErrFormat)
	}
}

func (r *restored) text(key string) (string, bool) {
	kv, ok := r.h.Find("tokenizer.ggml." + key)
	if !ok {
		return "", false
	}
	s, err := kv.Text()
	r.fail(kv, err)
	return s, err == nil
}

// truth reads a key that has a default.
func (r *restored) truth(key string, absent bool) bool {
	kv, ok := r.h.Find("tokenizer.ggml." + key)
	if !ok {
		return absent
	}
	b, err := kv.Bool()
	r.fail(kv, err)
	return b
}

// token gives the id and the text of a token with a purpose.
func (r *restored) token(key string) (int, string, bool) {
	kv, ok := r.h.Find(key)
	if !ok {
		return 0, "", false
	}
	id, err := kv.Uint()
	r.fail(kv, err)
	if err != nil {
		return 0, "", false
	}
	if id >= uint64(len(r.tokens)) {
		r.fail(kv, fmt.Errorf("%d of %d tokens", id, len(r.tokens)))
		return 0, "", false
	}
	return int(id), r.tokens[id], true
}

// vocabulary reads tokens and their classes.
func (r *restored) vocabulary() error {
	kv, ok := r.h.Find("tokenizer.ggml.tokens")
	if !ok {
		return fmt.Errorf("tokenizer.ggml.tokens is missing: %w", gguf.ErrFormat)
	}
	var err error
	if r.tokens, err = kv.Texts(); err != nil || len(r.tokens) > maxVocabulary {
		return fmt.Errorf("%s: %d tokens: %w", kv.Key, len(r.tokens), errors.Join(err, gguf.ErrFormat))
	}
	r.types = make([]tokenType, len(r.tokens))
	for i := range r.types {
		r.types[i] = normal
	}
	if kv, ok := r.h.Find("tokenizer.ggml.token_type"); ok {
		list, err := kv.Uints()
		if err != nil || len(list) != len(r.tokens) {
			return fmt.Errorf("%s: %d classes of %d tokens: %w", kv.Key, len(list), len(r.tokens), errors.Join(err, gguf.ErrFormat))
		}
		for i, c := range list {
			r.types[i] = tokenType(c)
		}
	}
	r.ids = make(map[string]int, len(r.tokens))
	for id, token := range r.tokens {
		if r.types[id] == unused {
			continue // fills the table up, and stands for no text
		}
		if !utf8.ValidString(token) {
			return fmt.Errorf("tokenizer.ggml.tokens: token %d is not valid UTF-8: %w", id, gguf.ErrFormat)
		}
		if other, twice := r.ids[token]; twice {
			return fmt.Errorf("tokenizer.ggml.tokens: %q is token %d and %d: %w in tokenizer.json", token, other, id, posenc.ErrUnsupported)
		}
		r.ids[token] = id
	}
	return nil
}

// added are the tokens that are found in a text before any rule is applied.
func (r *restored) added() []map[string]any {
	list := []map[string]any{}
	for id, token := range r.tokens {
		if c := r.types[id]; c == control || c == userDefined || c == unknown {
			list = append(list, map[string]any{"id": id, "content": token, "special": c != userDefined,
				"single_word": false, "lstrip": false, "rstrip": false, "normalized": false})
		}
	}
	return list
}

// file puts the parts together.
func (r *restored) file(model, normalizer, pre, decoder any) map[string]any {
	return map[string]any{"version": "1.0", "truncation": nil, "padding": nil, "added_tokens": r.added(), "normalizer": normalizer,
		"pre_tokenizer": pre, "post_processor": r.around(), "decoder": decoder, "model": model}
}

// around is the post-processor that puts tokens before and behind a text.
func (r *restored) around() any {
	single := []any{map[string]any{"Sequence": map[string]any{"id": "A", "type_id": 0}}}
	pair := []any{single[0], map[string]any{"Sequence": map[string]any{"id": "B", "type_id": 1}}}
	special := map[string]any{}
	piece := func(key string) (any, bool) {
		id, text, ok := r.token(key)
		if !ok {
			return nil, false
		}
		special[text] = map[string]any{"id": text, "ids": []int{id}, "tokens": []string{text}}
		return map[string]any{"SpecialToken": map[string]any{"id": text, "type_id": 0}}, true
	}
	if first, ok := piece("tokenizer.ggml.bos_token_id"); ok && r.addBOS {
		single, pair = append([]any{first}, single...), append([]any{first}, pair...)
	}
	if last, ok := piece("tokenizer.ggml.eos_token_id"); ok && r.addEOS {
		single, pair = append(single, last), append(pair, last)
	}
	if len(single) == 1 {
		return nil
	}
	return map[string]any{"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": special}
}

// config is tokenizer_config.json. Its class is the one that takes tokenizer.json
// as it is.
func (r *restored) config() map[string]any {
	out := map[string]any{"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": false,
		"add_bos_token": r.addBOS, "add_eos_token": r.addEOS}
	for _, k := range kinds {
		if _, text, ok := r.token(k.key); ok {
			out[k.name+"_token"] = text
		}
	}
	if kv, ok := r.h.Find("general.architecture"); ok {
		name, _ := kv.Text()
		if kv, ok := r.h.Find(name + ".context_length"); ok {
			n, err := kv.Uint()
			r.fail(kv, err)
			out["model_max_length"] = n
		}
	}
	r.templates(out)
	return out
}

// templates carries the chat templates: one text, or a list where there are more.
func (r *restored) templates(out map[string]any) {
	const key = "tokenizer.chat_template"
	var list []namedTemplate
	for _, kv := range r.h.KVs {
		name, ok := strings.CutPrefix(kv.Key, key)
		if !ok || name != "" && name[0] != '.' {
			continue
		}
		text, err := kv.Text()
		r.fail(kv, err)
		if name = strings.TrimPrefix(name, "."); name == "" {
			name = "default"
		}
		list = append(list, namedTemplate{name, text})
	}
	switch {
	case len(list) == 1 && list[0].Name == "default":
		out["chat_template"] = list[0].Template
	case len(list) > 0:
		out["chat_template"] = list
	}
}

// generation is generation_config.json: the end of a turn ends a text as well.
func (r *restored) generation() map[string]any {
	out := map[string]any{}
	for _, name := range []string{"bos", "pad"} {
		for _, k := range kinds {
			if id, _, ok := r.token(k.key); ok && k.name == name {
				out[name+"_token_id"] = id
			}
		}
	}
	var ends []int
	for _, key := range []string{"eos", "eot", "eom"} {
		if id, _, ok := r.token("tokenizer.ggml." + key + "_token_id"); ok && (len(ends) == 0 || ends[0] != id) {
			ends = append(ends, id)
		}
	}
	switch len(ends) {
	case 0:
	case 1:
		out["eos_token_id"] = ends[0]
	default:
		out["eos_token_id"] = ends
	}
	return out
}
