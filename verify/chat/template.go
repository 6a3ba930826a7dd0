package chat

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ardanlabs/jinja"

	"github.com/pecvt/pecvt/verify/special"
)

// Files that hold a template; the first wins.
const (
	File   = "chat_template.jinja"
	Config = "tokenizer_config.json"
)

// ErrNone is matched by the error for a folder without a chat template.
var ErrNone = errors.New("no chat template")

// Message is one turn.
type Message struct {
	Role    string `json:"role"` // "system", "user", "assistant"
	Content string `json:"content"`
}

// Template is a model's chat template.
type Template struct {
	path     string
	parsed   *jinja.Template
	specials map[string]jinja.Value // "bos_token", …
}

// Load reads the template of a folder, and the special tokens that it may name.
// Errors: none there (matches [ErrNone]), several without a default, one that is not
// Jinja as it is known here.
func Load(dir string) (*Template, error) {
	config, err := special.Object(filepath.Join(dir, Config))
	if err != nil {
		return nil, err
	}
	t := &Template{path: filepath.Join(dir, File)}
	raw, err := os.ReadFile(t.path)
	text := string(raw)
	if errors.Is(err, fs.ErrNotExist) {
		t.path = filepath.Join(dir, Config)
		text, err = named(config["chat_template"])
	}
	if errors.Is(err, ErrNone) {
		return nil, fmt.Errorf("%s: %w: neither %s nor chat_template in %s is there", dir, ErrNone, File, Config)
	}
	if err == nil {
		text, err = settle(text)
	}
	if err == nil {
		t.parsed, err = jinja.Compile(text)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: chat template: %w", t.path, err)
	}
	if t.specials, err = specials(dir, config); err != nil {
		return nil, err
	}
	return t, nil
}

// Path is the file that the template was read from.
func (t *Template) Path() string { return t.path }

// Render gives the prompt of messages, up to where the assistant's answer begins.
func (t *Template) Render(messages []Message) (string, error) {
	var list []jinja.Value
	for _, m := range messages {
		d := jinja.NewDict()
		d.AsDict().Set("role", jinja.NewString(m.Role))
		d.AsDict().Set("content", jinja.NewString(m.Content))
		list = append(list, d)
	}
	data := map[string]jinja.Value{
		"messages": jinja.NewList(list), "tools": jinja.None(), "documents": jinja.None(),
		"add_generation_prompt": jinja.NewBool(true),
	}
	for name, v := range t.specials {
		data[name] = v
	}
	text, err := t.parsed.RenderValues(data)
	if err != nil {
		return "", fmt.Errorf("%s: chat template: %w", t.path, err)
	}
	return text, nil
}

// named is the template of tokenizer_config.json: one, or the default of several.
func named(raw json.RawMessage) (string, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", ErrNone
	}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return one, nil
	}
	var list []struct{ Name, Template string }
	if err := json.Unmarshal(raw, &list); err != nil {
		return "", fmt.Errorf("expected a text, or a list of names and templates")
	}
	var known []string
	for _, x := range list {
		if x.Name == "default" {
			return x.Template, nil
		}
		known = append(known, x.Name)
	}
	return "", fmt.Errorf("none of %s is the default one: expected one that is", strings.Join(known, ", "))
}

// tokenKeys are what transformers hands to a template by name.
var tokenKeys = []string{"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}

// specials are the special tokens that the tokenizer's files name.
func specials(dir string, config map[string]json.RawMessage) (map[string]jinja.Value, error) {
	older, err := special.Object(filepath.Join(dir, "special_tokens_map.json"))
	if err != nil {
		return nil, err
	}
	out := map[string]jinja.Value{}
	for _, key := range tokenKeys {
		i := slices.IndexFunc([]map[string]json.RawMessage{config, older}, func(m map[string]json.RawMessage) bool {
			return len(m[key]) > 0 && string(m[key]) != "null"
		})
		if i < 0 {
			continue
		}
		raw := [](map[string]json.RawMessage){config, older}[i][key]
		var text string
		if json.Unmarshal(raw, &text) != nil {
			var o struct{ Content *string }
			if json.Unmarshal(raw, &o) != nil || o.Content == nil {
				return nil, fmt.Errorf("%s: %s is %s: expected a token", filepath.Join(dir, Config), key, raw)
			}
			text = *o.Content
		}
		out[key] = jinja.NewString(text)
	}
	return out, nil
}
