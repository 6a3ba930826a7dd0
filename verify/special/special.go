// Package special finds the special tokens that the files of a model's folder name:
// what ends a text, begins it, or fills a row up.
package special

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// Files are those of a folder.
type Files struct {
	// Dir is where generation_config.json and the tokenizer's files lie.
	Dir string
	// Config is a key of config.json, nil where it is not there.
	Config func(key string) json.RawMessage
	// Vocab is the number of tokens that the model can give.
	Vocab int
}

// Of are the files of a folder whose config.json is read from it. A model inside
// another has its keys in text_config where they do not stand at the top.
func Of(dir string, vocab int) (Files, error) {
	f := Files{Dir: dir, Vocab: vocab}
	top, err := f.sidecar("config.json")
	if err != nil {
		return f, err
	}
	var inner map[string]json.RawMessage
	if raw := top["text_config"]; !missing(raw) {
		if err := json.Unmarshal(raw, &inner); err != nil {
			return f, fmt.Errorf("config.json: text_config: %w", err)
		}
	}
	f.Config = func(key string) json.RawMessage {
		if raw := top[key]; !missing(raw) {
			return raw
		}
		return inner[key]
	}
	return f, nil
}

// IDs are the ids that the folder gives a kind of token ("eos", "bos", "pad"), those
// that the model can give: by generation_config.json, else config.json, else by the
// name that the tokenizer has for it. There may be none.
func (f Files) IDs(kind string) ([]int64, error) {
	key := kind + "_token_id"
	var ids []int64
	raw, err := f.sidecar("generation_config.json")
	if err != nil {
		return nil, err
	}
	told := raw[key]
	if missing(told) {
		told = f.Config(key)
	}
	if missing(told) {
		ids, err = f.byName(kind + "_token")
	} else {
		ids, err = IDsOf(told)
	}
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(ids, func(id int64) bool { return id < 0 || id >= int64(f.Vocab) }), nil
}

func missing(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// byName resolves the tokenizer's name for a token.
func (f Files) byName(key string) ([]int64, error) {
	config, err := f.sidecar("tokenizer_config.json")
	if err != nil {
		return nil, err
	}
	raw := config[key]
	if missing(raw) {
		special, err := f.sidecar("special_tokens_map.json")
		if err != nil || missing(special[key]) {
			return nil, err
		}
		raw = special[key]
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		var o struct{ Content string }
		if json.Unmarshal(raw, &o) != nil {
			return nil, fmt.Errorf("tokenizer_config.json: %s is %s: expected a token", key, raw)
		}
		text = o.Content
	}
	vocabulary, err := f.vocabulary(config)
	if err != nil {
		return nil, err
	}
	if id, ok := vocabulary[text]; ok {
		return []int64{id}, nil
	}
	return nil, nil
}

// vocabulary is every token that the folder's files give an id; those that were
// added to the tokenizer go before what was there.
func (f Files) vocabulary(config map[string]json.RawMessage) (map[string]int64, error) {
	all := map[string]int64{}
	tokenizer, err := f.sidecar("tokenizer.json")
	if err != nil {
		return nil, err
	}
	var model struct {
		Vocab json.RawMessage
	}
	_ = json.Unmarshal(tokenizer["model"], &model) // a tokenizer without one has the files below
	var scored [][]any
	if json.Unmarshal(model.Vocab, &scored) == nil {
		for i, row := range scored {
			if len(row) == 0 {
				continue
			}
			if text, ok := row[0].(string); ok {
				all[text] = int64(i)
			}
		}
	} else {
		_ = json.Unmarshal(model.Vocab, &all)
	}
	for _, name := range []string{"vocab.json", "added_tokens.json"} {
		table, err := f.sidecar(name)
		if err != nil {
			return nil, err
		}
		for text, raw := range table {
			if ids, err := IDsOf(raw); err == nil && len(ids) == 1 {
				all[text] = ids[0]
			}
		}
	}
	var byID map[string]struct{ Content string }
	_ = json.Unmarshal(config["added_tokens_decoder"], &byID)
	for id, t := range byID {
		if n, err := strconv.ParseInt(id, 10, 64); err == nil {
			all[t.Content] = n
		}
	}
	var added []struct {
		ID      int64
		Content string
	}
	_ = json.Unmarshal(tokenizer["added_tokens"], &added)
	for _, t := range added {
		all[t.Content] = t.ID
	}
	return all, nil
}

func (f Files) sidecar(name string) (map[string]json.RawMessage, error) {
	return Object(filepath.Join(f.Dir, name))
}

// Object reads a file that is a JSON object, nil where there is none.
func Object(path string) (map[string]json.RawMessage, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var o map[string]json.RawMessage
	if err := json.Unmarshal(text, &o); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return o, nil
}

// IDsOf reads an id, a list of ids, or nothing.
func IDsOf(raw json.RawMessage) ([]int64, error) {
	if missing(raw) {
		return nil, nil
	}
	var list []int64
	if json.Unmarshal(raw, &list) == nil {
		return list, nil
	}
	var one int64
	if err := json.Unmarshal(raw, &one); err != nil {
		return nil, fmt.Errorf("%s: expected the id of a token, or a list of them", raw)
	}
	return []int64{one}, nil
}
