package genai

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// specialTokens are the ids that the checkpoint gives a kind of token ("eos",
// "bos"), those that the model can give: by generation_config.json, else
// config.json, else by the name that the tokenizer has for it.
func (f *Folder) specialTokens(kind string) ([]int64, error) {
	key := kind + "_token_id"
	var ids []int64
	raw, err := f.sidecar("generation_config.json")
	if err != nil {
		return nil, err
	}
	told := raw[key]
	if missing(told) {
		told = f.Model.Config.Raw(key)
	}
	if missing(told) {
		ids, err = f.byName(kind + "_token")
	} else {
		ids, err = idsOf(told)
	}
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(ids, func(id int64) bool { return id < 0 || id >= int64(f.Model.Vocab) }), nil
}

func missing(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// byName resolves the tokenizer's name for a token.
func (f *Folder) byName(key string) ([]int64, error) {
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
func (f *Folder) vocabulary(config map[string]json.RawMessage) (map[string]int64, error) {
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
			if ids, err := idsOf(raw); err == nil && len(ids) == 1 {
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

// sidecar reads a JSON object beside the graph, nil where there is none.
func (f *Folder) sidecar(name string) (map[string]json.RawMessage, error) {
	text, err := os.ReadFile(filepath.Join(f.Dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var o map[string]json.RawMessage
	if err := json.Unmarshal(text, &o); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return o, nil
}

// idsOf reads an id, a list of ids, or nothing.
func idsOf(raw json.RawMessage) ([]int64, error) {
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

func spelledIDs(ids []int64) string {
	switch len(ids) {
	case 0:
		return "missing"
	case 1:
		return strconv.FormatInt(ids[0], 10)
	}
	var text []string
	for _, id := range ids {
		text = append(text, strconv.FormatInt(id, 10))
	}
	return "[" + strings.Join(text, ", ") + "]"
}
